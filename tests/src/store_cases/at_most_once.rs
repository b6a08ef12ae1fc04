//! Invariant 21: a handler that is called at most once is never called twice, and no event of it is lost unseen.

use crate::events::{Noted, Stepped};
use crate::{Harness, Role, Scene};
use events_core::test_kit::Fault;
use events_core::{DeliveryError, Metadata, RelayOptions, State, after_commit};
use events_sqlx::{DeadLetter, Filter, Outbox};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

/// Has an effect that must not happen twice.
#[after_commit(manual, at_most_once, timeout = "1s", concurrency = 1)]
async fn ring(event: Noted, meta: Metadata, State(role): State<Role<Noted>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// The same along a line.
#[after_commit(manual, at_most_once, dead_letters = "block_key")]
async fn tread_once(event: Stepped, meta: Metadata, State(role): State<Role<Stepped>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// A process that leaves its events to scanners, on a clock that stands still.
async fn idle<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    scene.timeless().await.relay(limits).handler::<ring>().handler::<tread_once>().start_idle().await.unwrap()
}

async fn letters<H: Harness>(outbox: &Outbox<H::Db>) -> Vec<DeadLetter> {
    outbox.dead_letters().list(&Filter::all()).await.unwrap()
}

fn calls<H: Harness>(scene: &Scene<H>) -> Vec<i64> {
    let mut calls: Vec<i64> = scene.note.begun.all().into_iter().map(|(event, _)| event.n).collect();
    calls.sort_unstable();
    calls
}

// Invariant 21.
pub async fn a_call_that_succeeds_leaves_nothing_behind<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<ring>().start().await.unwrap();
    Scene::<H>::publish(&outbox, 0..20).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(calls(&scene), (0..20).collect::<Vec<_>>());
    assert_eq!((scene.note.done.len(), outbox.dead_count().await.unwrap(), outbox.stats().delivered_from_memory), (20, 0, 20));
}

// Invariant 21.
pub async fn a_call_that_fails_is_a_dead_letter_and_is_repeated_only_by_hand<H: Harness>() {
    let faults = [
        (Fault::Retryable, "exhausted", "a fault on command"),
        (Fault::Terminal, "terminal", "a terminal fault on command"),
        (Fault::Panic, "exhausted", "it panicked: a panic on command"),
        (Fault::Hang, "exhausted", "it did not finish within 1s; raise `timeout` if that is too short"),
    ];
    for (fault, reason, said) in faults {
        let scene = Scene::<H>::new().await;
        let outbox = scene.timeless().await.handler::<ring>().start_idle().await.unwrap();
        scene.note.faults.next(1, fault);
        Scene::<H>::publish(&outbox, [7]).await;
        Scene::<H>::settle(&outbox).await;
        assert_eq!((calls(&scene), outbox.waiting().await.unwrap()), (vec![7], 0));
        let letter = letters::<H>(&outbox).await.remove(0);
        assert_eq!((&*letter.reason, letter.attempts), (reason, 1));
        let history: Vec<_> = letter.failures.iter().map(|failure| (failure.attempt, &*failure.error)).collect();
        assert_eq!(history, [(1, said)], "how it ended replaces that it began");
        outbox.dead_letters().redrive(&Filter::all()).await.unwrap();
        Scene::<H>::drain(&outbox).await;
        assert_eq!((calls(&scene), outbox.dead_count().await.unwrap()), (vec![7, 7], 0));
    }
}

// Invariant 21.
pub async fn a_call_whose_process_is_gone_is_not_repeated<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let (gone, other) = (idle(&scene).await, idle(&scene).await);
    Scene::<H>::publish(&gone, [7]).await;
    assert_eq!(gone.relay().scan().await.unwrap(), 1);
    scene.note.begun.wait_for(1, LEASE).await;
    scene.clock.advance(LEASE);
    assert_eq!(other.relay().scan().await.unwrap(), 1);
    Scene::<H>::settle(&other).await;
    let letter = letters::<H>(&other).await.remove(0);
    assert_eq!((&*letter.reason, letter.attempts, letter.failures.len()), ("interrupted", 1, 1));
    assert!(letter.failures[0].error.contains("how it ended was never written down"), "{:?}", letter.failures);
    assert_eq!((calls(&scene), other.waiting().await.unwrap()), (vec![7], 0));
    // Whatever becomes of the call now, its lease is lost.
    scene.note.gate.open();
    Scene::<H>::settle(&gone).await;
    assert_eq!((gone.stats().lease_lost, letters::<H>(&other).await.len()), (1, 1));
    other.dead_letters().redrive(&Filter::all()).await.unwrap();
    Scene::<H>::drain(&other).await;
    assert_eq!((calls(&scene), other.dead_count().await.unwrap()), (vec![7, 7], 0), "somebody wanted it");
}

// Invariant 21.
pub async fn what_was_not_called_yet_is_called_by_another_process<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let (slow, other) = (idle(&scene).await, idle(&scene).await);
    Scene::<H>::publish(&slow, [1, 2, 3]).await;
    assert_eq!(slow.relay().scan().await.unwrap(), 3);
    // One runs, two wait for it.
    scene.note.begun.wait_for(1, LEASE).await;
    scene.clock.advance(LEASE);
    assert_eq!(other.relay().scan().await.unwrap(), 3);
    scene.note.begun.wait_for(2, LEASE).await;
    scene.note.gate.open();
    for process in [&other, &slow] {
        Scene::<H>::drain(process).await;
    }
    let dead = letters::<H>(&other).await;
    assert_eq!((dead.len(), &*dead[0].reason), (1, "interrupted"));
    assert_eq!((calls(&scene), other.waiting().await.unwrap()), (vec![1, 2, 3], 0), "what `slow` still had was not its any more");
}

// Invariant 21.
pub async fn a_handler_that_says_that_nothing_happened_is_called_again<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<ring>().start().await.unwrap();
    scene.note.faults.next(2, Fault::Unavailable);
    Scene::<H>::publish(&outbox, [7]).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.note.begun.all(), [1, 1, 1].map(|attempt| (Noted { n: 7 }, attempt)));
    assert_eq!((outbox.dead_count().await.unwrap(), outbox.stats().retried), (0, 0));
}

// Invariants 7 and 21.
pub async fn a_line_waits_behind_an_interrupted_call_if_it_waits_behind_dead_letters<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.follow.gate.close();
    let (gone, other) = (idle(&scene).await, idle(&scene).await);
    Scene::<H>::step(&gone, 1, 0..2).await;
    assert_eq!(gone.relay().scan().await.unwrap(), 1);
    scene.follow.begun.wait_for(1, LEASE).await;
    scene.clock.advance(LEASE);
    scene.follow.gate.open();
    Scene::<H>::drain(&other).await;
    assert_eq!((scene.follow.begun.len(), other.dead_count().await.unwrap(), other.waiting().await.unwrap()), (1, 1, 1));
    other.dead_letters().discard(&Filter::all()).await.unwrap();
    Scene::<H>::drain(&other).await;
    assert_eq!(scene.follow.begun.all().into_iter().map(|(event, _)| event.step).collect::<Vec<_>>(), [0, 1]);
}
