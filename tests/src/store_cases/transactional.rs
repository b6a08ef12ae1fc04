//! Invariant 17: a handler that takes `&mut UnitOfWork` has its effect exactly once.

use crate::events::{Booked, Noted, note};
use crate::{Harness, Scene};
use events_core::test_kit::{Fault, wait_until};
use events_core::{BoxFuture, DeliveryError, HandlerFn, InUnitOfWork, RelayOptions, TransactOutcome};
use events_sqlx::{Filter, Outbox, UnitOfWork, WaitingState};
use std::{any::Any, time::Duration};

const SOON: Duration = Duration::from_secs(10);

async fn book<H: Harness>(outbox: &Outbox<H::Db>, numbers: impl IntoIterator<Item = i64>) {
    for n in numbers {
        outbox.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(Booked { n })).await.unwrap();
    }
}

// Invariant 17.
pub async fn effect_events_and_settlement_are_one_transaction<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<H::Book>().handler::<note>().start().await.unwrap();
    book::<H>(&outbox, 0..20).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.business().await, (0..20).collect::<Vec<_>>());
    let mut noted: Vec<i64> = scene.note.done.all().into_iter().map(|event| event.n).collect();
    noted.sort_unstable();
    assert_eq!(noted, (0..20).collect::<Vec<_>>(), "what it published was delivered");
    assert_eq!(scene.book.begun.len(), 20);
}

// Invariant 17.
pub async fn an_error_undoes_the_effect_and_the_events_and_is_retried<H: Harness>() {
    let scene = Scene::<H>::new().await;
    for fault in [Fault::Retryable, Fault::Panic] {
        scene.book.faults.next(2, fault);
    }
    let outbox = scene.process().await.handler::<H::Book>().handler::<note>().start().await.unwrap();
    // With a number that is there already, a write that was not undone would fail the next attempt.
    book::<H>(&outbox, [7]).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.book.begun.all(), (1..=5).map(|attempt| (Booked { n: 7 }, attempt)).collect::<Vec<_>>());
    assert_eq!((scene.business().await, scene.note.done.all()), (vec![7], vec![Noted { n: 7 }]));
    assert_eq!((outbox.stats().handler_panics, outbox.stats().retried), (2, 4));
}

// Invariant 17.
pub async fn a_terminal_error_leaves_no_effect_and_one_dead_letter<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.book.faults.next(1, Fault::Terminal);
    let outbox = scene.process().await.handler::<H::Book>().handler::<note>().start().await.unwrap();
    book::<H>(&outbox, [7]).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!((scene.business().await, scene.note.done.all()), (vec![], vec![]));
    let letters = outbox.dead_letters().list(&Filter::all()).await.unwrap();
    assert_eq!((letters.len(), &*letters[0].reason, letters[0].attempts), (1, "terminal", 1));
    outbox.dead_letters().redrive(&Filter::all()).await.unwrap();
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!((scene.business().await, scene.note.done.all()), (vec![7], vec![Noted { n: 7 }]));
}

// Invariant 17.
pub async fn a_lease_that_was_lost_meanwhile_undoes_the_effect<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let outbox = scene.timeless().await.relay(limits).handler::<H::Book>().handler::<note>().start_idle().await.unwrap();
    book::<H>(&outbox, [7]).await;
    let lease = outbox.relay().options().lease;
    // A process takes the delivery and loses its lease before its handler's turn comes.
    let stale = Scene::<H>::lease(&outbox, H::Book::DESCRIPTOR.name, 1, lease).await.remove(0);
    scene.clock.advance(lease);
    let fresh = Scene::<H>::lease(&outbox, H::Book::DESCRIPTOR.name, 1, lease).await.remove(0);
    let outcome = outbox.store().transact(&stale, &BookBy(&scene)).await;
    assert!(matches!(outcome, TransactOutcome::LeaseLost), "{outcome:?}");
    assert_eq!((scene.business().await, scene.count("outbox").await), (vec![], 1), "neither the effect nor its event");
    let outcome = outbox.store().transact(&fresh, &BookBy(&scene)).await;
    assert!(matches!(outcome, TransactOutcome::Settled { .. }), "{outcome:?}");
    assert_eq!(scene.business().await, [7]);
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Due).await, 1, "only what it published is left");
    // Nor once more: the row is gone.
    let outcome = outbox.store().transact(&fresh, &BookBy(&scene)).await;
    assert!(!matches!(outcome, TransactOutcome::Settled { .. }), "{outcome:?}");
    assert_eq!(scene.business().await, [7]);
}

/// The handler, called as the dispatcher calls it.
struct BookBy<'a, H: Harness>(&'a Scene<H>);

impl<H: Harness> InUnitOfWork for BookBy<'_, H> {
    fn call<'a>(&'a self, unit: &'a mut (dyn Any + Send + 'static)) -> BoxFuture<'a, Result<(), DeliveryError>> {
        let uow: &mut UnitOfWork<H::Db> = unit.downcast_mut().expect("the store begins a unit of work of its own database");
        Box::pin(Scene::<H>::book(&self.0.book, Booked { n: 7 }, uow, 1))
    }
}

// Invariant 17.
pub async fn a_handler_that_is_too_slow_leaves_no_effect<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.book.faults.next(1, Fault::Hang);
    let outbox = scene.timeless().await.handler::<H::Book>().handler::<note>().start_idle().await.unwrap();
    book::<H>(&outbox, [7]).await;
    scene.book.begun.wait_for(1, SOON).await;
    // Cancelled from outside, as its timeout would cancel it.
    outbox.shutdown_within(Duration::ZERO).await;
    wait_until("the transaction is rolled back", async || !scene.harness.is_transaction_open().await).await;
    assert_eq!((scene.business().await, scene.count("outbox").await), (vec![], 1));
    let heir = scene.timeless().await.handler::<H::Book>().handler::<note>().start().await.unwrap();
    scene.clock.advance(heir.relay().options().lease);
    Scene::<H>::until_delivered(&heir).await;
    assert_eq!((scene.business().await, scene.note.done.all()), (vec![7], vec![Noted { n: 7 }]));
}
