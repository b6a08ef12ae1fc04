//! Invariant 22: of a two-phase transport's events exactly those are shown whose transaction has committed, whoever dies in between; the
//! database is the answer.

use crate::events::{Sent, follow};
use crate::{HalfMemory, Harness, Scene};
use events_core::test_kit::{Fault, wait_until};
use events_core::{Error, RelayOptions, Resolution, TransactionId};
use events_sqlx::{Backend, Outbox, OutboxBuilder, UnitOfWork};
use std::time::Duration;

const LIFETIME: Duration = Duration::from_secs(5);
const MOMENT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn process<H: Harness>(scene: &Scene<H>, half: &HalfMemory) -> OutboxBuilder<H::Db> {
    scene.timeless().await.event::<Sent>().handler::<follow>().two_phase(half.clone())
}

/// Writes to the business table and publishes, for the two-phase transport alone.
async fn pay<DB: Backend, H: Harness<Db = DB>>(outbox: &Outbox<DB>, n: i64) -> Result<(), Error> {
    outbox
        .run(async move |uow: &mut UnitOfWork<DB>| {
            Scene::<H>::write(uow.conn(), n).await.unwrap();
            uow.publish(Sent { line: n, step: 0 }).map(drop)
        })
        .await
}

fn shown(half: &HalfMemory) -> Vec<i64> {
    half.shown().iter().map(|envelope| envelope.open::<Sent>().unwrap().line).collect()
}

// Invariant 22.
pub async fn what_commits_is_shown_and_what_rolls_back_is_forgotten<H: Harness>() {
    let (scene, half) = (Scene::<H>::new().await, HalfMemory::default());
    let outbox = process(&scene, &half).await.start_idle().await.unwrap();
    for n in 0..3 {
        pay::<H::Db, H>(&outbox, n).await.unwrap();
    }
    // That number is there already: the error comes before anything is prepared.
    let refused = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        uow.publish(Sent { line: 7, step: 0 })?;
        Ok(Scene::<H>::write(uow.conn(), 1).await?)
    });
    assert!(refused.await.is_err());
    wait_until("the broker was told", async || outbox.in_flight() == 0).await;
    assert_eq!((shown(&half), half.hidden(), scene.business().await), (vec![0, 1, 2], vec![], vec![0, 1, 2]));
    assert_eq!((scene.count("outbox").await, scene.count("outbox_tx").await), (0, 3), "a row per transaction, and none per event");
    assert_eq!((outbox.stats().confirmed, outbox.stats().unconfirmed, outbox.stats().checked), (3, 0, 0));
    // Units of work without such events write none.
    Scene::<H>::step(&outbox, 1, [1]).await;
    assert_eq!(scene.count("outbox_tx").await, 3);
}

// Invariant 22.
pub async fn what_cannot_be_prepared_is_not_committed<H: Harness>() {
    let (scene, half) = (Scene::<H>::new().await, HalfMemory::default());
    let outbox = process(&scene, &half).await.start_idle().await.unwrap();
    half.preparing().next(1, Fault::Unavailable);
    let error = pay::<H::Db, H>(&outbox, 1).await.unwrap_err();
    assert_eq!(error.report(), "the events could not be prepared at `half`, and nothing was committed: away on command");
    assert_eq!((scene.business().await, scene.count("outbox_tx").await, shown(&half)), (vec![], 0, vec![]));
    pay::<H::Db, H>(&outbox, 1).await.unwrap();
    wait_until("it is shown", async || shown(&half) == [1]).await;
}

// Invariant 22.
pub async fn a_broker_that_was_not_told_asks_and_any_process_answers<H: Harness>() {
    let (scene, half, elsewhere) = (Scene::<H>::new().await, HalfMemory::default(), HalfMemory::default());
    let outbox = process(&scene, &half).await.start_idle().await.unwrap();
    let _other = process(&scene, &elsewhere).await.start_idle().await.unwrap();
    half.telling().always(Fault::Unavailable);
    pay::<H::Db, H>(&outbox, 1).await.unwrap();
    wait_until("nobody tries any more", async || outbox.stats().unconfirmed == 1 && outbox.in_flight() == 0).await;
    let waiting = half.hidden().remove(0);
    assert_eq!(elsewhere.ask(waiting).await, Resolution::Commit);
    half.ask_all().await;
    assert_eq!((shown(&half), half.hidden()), (vec![1], vec![]));
    // Its answer is the same however often it is asked, for as long as a broker may ask.
    scene.clock.advance(HOUR * 72);
    outbox.maintain().await.unwrap();
    assert_eq!(half.ask(waiting).await, Resolution::Commit);
    scene.clock.advance(HOUR * 8 + MOMENT);
    outbox.maintain().await.unwrap();
    assert_eq!(scene.count("outbox_tx").await, 0, "after that nobody asks");
}

// Invariant 22.
pub async fn a_transaction_without_a_trace_is_given_up_a_lifetime_after_the_first_question<H: Harness>() {
    let (scene, half) = (Scene::<H>::new().await, HalfMemory::default());
    let _outbox = process(&scene, &half).await.start_idle().await.unwrap();
    let nobody_s = TransactionId::now();
    assert_eq!(half.ask(nobody_s).await, Resolution::Unknown);
    scene.clock.advance(LIFETIME - MOMENT);
    assert_eq!(half.ask(nobody_s).await, Resolution::Unknown, "it may be under way");
    scene.clock.advance(MOMENT);
    for _ in 0..2 {
        assert_eq!(half.ask(nobody_s).await, Resolution::Rollback);
    }
}

// Invariant 22.
pub async fn a_transaction_that_is_asked_about_before_it_commits_commits<H: Harness>() {
    let (scene, half) = (Scene::<H>::new().await, HalfMemory::default());
    if <H::Db as Backend>::SINGLE_WRITER {
        // The question would wait for the transaction, and the transaction waits for the question.
        return asked_while_the_only_writer_writes(&scene, &half).await;
    }
    let outbox = process(&scene, &half).await.start_idle().await.unwrap();
    half.meanwhile(|half, transaction| {
        Box::pin(async move {
            assert_eq!(half.ask(transaction).await, Resolution::Unknown);
        })
    });
    pay::<H::Db, H>(&outbox, 1).await.unwrap();
    wait_until("it is shown", async || shown(&half) == [1]).await;
    assert_eq!((scene.count("outbox_tx WHERE state = 1").await, scene.count("outbox_tx").await), (1, 1));
}

/// Nobody can write down that somebody asked; it stays unknown.
async fn asked_while_the_only_writer_writes<H: Harness>(scene: &Scene<H>, half: &HalfMemory) {
    let limits = RelayOptions { call_timeout: Duration::from_millis(200), ..RelayOptions::default() };
    let outbox = process(scene, half).await.relay(limits).start_idle().await.unwrap();
    half.meanwhile(|half, transaction| {
        Box::pin(async move {
            assert_eq!(half.ask(transaction).await, Resolution::Unknown);
        })
    });
    pay::<H::Db, H>(&outbox, 1).await.unwrap();
    wait_until("it is shown", async || shown(half) == [1]).await;
    assert_eq!(outbox.stats().store_errors, 1);
}

// Invariant 22.
pub async fn a_transaction_that_was_given_up_cannot_commit<H: Harness>() {
    let (scene, half) = (Scene::<H>::new().await, HalfMemory::default());
    let outbox = process(&scene, &half).await.start_idle().await.unwrap();
    // Its process was suspended for so long; the tombstone stands there as if a broker had asked twice.
    let pool = scene.harness.connect().await;
    let clock = scene.clock.clone();
    if <H::Db as Backend>::SINGLE_WRITER {
        // Nobody else can write while it is open: the tombstone is there before it begins.
        half.meanwhile(|_, _| Box::pin(async {}));
        drop((pool, clock));
        let late = TransactionId::now();
        assert_eq!(half.ask(late).await, Resolution::Unknown);
        scene.clock.advance(LIFETIME);
        assert_eq!(half.ask(late).await, Resolution::Rollback);
        assert_eq!((scene.count("outbox_tx WHERE state = 2").await, scene.count("outbox_tx").await), (1, 1));
        return;
    }
    half.meanwhile(move |half, transaction| {
        let clock = clock.clone();
        Box::pin(async move {
            assert_eq!(half.ask(transaction).await, Resolution::Unknown);
            clock.advance(LIFETIME);
            assert_eq!(half.ask(transaction).await, Resolution::Rollback);
        })
    });
    let error = pay::<H::Db, H>(&outbox, 1).await.unwrap_err();
    assert!(matches!(error, Error::TransactionGivenUp), "{error:?}");
    wait_until("the broker was told", async || half.hidden().is_empty()).await;
    assert_eq!((shown(&half), scene.business().await), (vec![], vec![]));
    assert_eq!((scene.count("outbox_tx WHERE state = 2").await, scene.count("outbox_tx").await), (1, 1));
}

// Invariant 22.
pub async fn a_transaction_that_takes_longer_than_its_lifetime_is_rolled_back<H: Harness>() {
    let (scene, half) = (Scene::<H>::new().await, HalfMemory::default());
    let limits = RelayOptions { transaction_lifetime: Duration::from_secs(1), ..RelayOptions::default() };
    let outbox = process(&scene, &half).await.relay(limits).start_idle().await.unwrap();
    half.meanwhile(|_, _| Box::pin(tokio::time::sleep(Duration::from_millis(1_100))));
    let error = pay::<H::Db, H>(&outbox, 1).await.unwrap_err();
    assert!(matches!(error, Error::TransactionTooSlow { .. }), "{error:?}");
    wait_until("the broker was told", async || half.hidden().is_empty()).await;
    assert_eq!((shown(&half), scene.business().await, scene.count("outbox_tx").await), (vec![], vec![], 0));
}

// Invariant 22.
pub async fn a_question_does_not_wait_for_who_is_about_to_commit<H: Harness>() {
    let (scene, half) = (Scene::<H>::new().await, HalfMemory::default());
    let limits = RelayOptions { call_timeout: Duration::from_secs(2), ..RelayOptions::default() };
    let outbox = process(&scene, &half).await.relay(limits).start_idle().await.unwrap();
    half.telling().always(Fault::Unavailable);
    pay::<H::Db, H>(&outbox, 1).await.unwrap();
    let waiting = half.hidden().remove(0);
    // As if that transaction had not ended yet: its row is locked.
    let pool = scene.harness.connect().await;
    let mut open = <H::Db as Backend>::begin(&pool, None).await.unwrap();
    H::Db::execute(&mut open, "UPDATE outbox_tx SET state = 1".to_owned()).await.unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(20), half.ask(waiting)).await.unwrap();
    assert_eq!(asked, Resolution::Unknown);
    open.rollback().await.unwrap();
    assert_eq!(half.ask(waiting).await, Resolution::Commit);
}

// Invariant 22.
pub async fn a_shutdown_waits_until_the_broker_is_told<H: Harness>() {
    let (scene, half) = (Scene::<H>::new().await, HalfMemory::default());
    let outbox = process(&scene, &half).await.start().await.unwrap();
    for n in 0..20 {
        pay::<H::Db, H>(&outbox, n).await.unwrap();
    }
    outbox.shutdown().await;
    assert_eq!((half.hidden().len(), half.shown().len()), (0, 20));
}
