//! What a store whose transactions run side by side must do besides.

#![allow(missing_docs)]

use crate::events::{Noted, Stepped, follow, note};
use crate::{Harness, Scene};
use events_core::test_kit::wait_until;
use events_core::{BuildError, Error, Outcome, RelayOptions, publish};
use events_sqlx::{Backend, Isolation, Outbox, OutboxBuilder, UnitOfWork, WaitingState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// A database system whose transactions run side by side.
pub trait Concurrent: Harness {
    /// A name for another schema, which nobody else uses; dropped with the database.
    fn other_schema(&self) -> String;
    /// Keeps the tables of an outbox in another schema.
    fn in_schema(builder: OutboxBuilder<Self::Db>, name: &str) -> OutboxBuilder<Self::Db>;
    /// Whether a statement waits for a lock.
    fn is_waiting(&self) -> impl Future<Output = bool> + Send;
}

/// One `#[tokio::test]` per case.
#[macro_export]
macro_rules! concurrent_conformance {
    ($harness:ty) => {
        $crate::concurrent_conformance! { @bind $harness;
            the_outbox_may_live_in_a_schema_of_its_own,
            an_old_snapshot_of_the_caller_does_not_decide_what_waits,
            whoever_waited_for_a_line_sees_what_became_of_it,
            whoever_settles_frees_what_was_added_while_it_waited_for_the_line,
        }
    };
    (@bind $harness:ty; $($case:ident,)+) => {
        mod concurrent {
            #[allow(unused_imports)]
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::store_cases::bounded($crate::concurrent_cases::$case::<$harness>()).await;
            })+
        }
    };
}

/// Invariant 20: one transaction spans the business tables and an outbox in another schema; the schema's name is checked.
pub async fn the_outbox_may_live_in_a_schema_of_its_own<H: Concurrent>() {
    let scene = Scene::<H>::new().await;
    let start = async |schema: &str| H::in_schema(scene.process().await.handler::<note>().handler::<follow>(), schema).start().await;
    let schema = scene.harness.other_schema();

    let error = start("x; DROP TABLE business").await.unwrap_err();
    assert!(matches!(error, Error::Build(BuildError::InvalidOption { option: "the schema's name", .. })), "{error}");
    let error = start(&schema).await.unwrap_err();
    assert!(error.to_string().contains("does not exist: create it"), "{error}");

    scene.execute(format!("CREATE SCHEMA {schema}")).await;
    let outbox = start(&schema).await.unwrap();
    let rolled_back = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        Scene::<H>::write(uow.conn(), 7).await?;
        publish(Noted { n: 7 })?;
        anyhow::bail!("changed my mind")
    });
    rolled_back.await.unwrap_err();
    Scene::<H>::publish(&outbox, [8]).await;
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 8 }]);
    assert_eq!(scene.follow.done.all(), [1, 2, 3].map(|step| Stepped { line: 1, step }));
    outbox.maintain().await.unwrap();
    outbox.shutdown().await;
    let counts = format!("SELECT count(*) FROM {schema}.outbox UNION ALL SELECT count(*) FROM {schema}.outbox_key");
    assert_eq!((scene.business().await, scene.numbers(counts).await), (vec![], vec![0, 1]));
    assert!(!scene.harness.is_transaction_open().await);

    // And by hand, as a person with the rights would.
    scene.execute(format!("DROP VIEW {schema}.outbox_readable")).await;
    for table in [
        "outbox",
        "outbox_key",
        "outbox_dead",
        "outbox_archive",
        "inbox",
        "outbox_tx",
        "outbox_identity",
        "outbox_process",
        "outbox_audit",
        "relay_lease",
        "outbox_meta",
    ] {
        scene.execute(format!("DROP TABLE {schema}.{table}")).await;
    }
    scene.execute(events_sqlx::migrations_as_sql::<H::Db>(Some(&schema)).unwrap()).await;
    let by_hand = scene.process().await.handler::<note>().without_migrations();
    H::in_schema(by_hand, &schema).start().await.unwrap().shutdown().await;
}

/// Invariant 7: a transaction that saw the table long ago must still know whether something waits in the line now.
pub async fn an_old_snapshot_of_the_caller_does_not_decide_what_waits<H: Concurrent>() {
    for settled in [true, false] {
        let scene = Scene::<H>::new().await;
        let outbox = scene.process().await.handler::<follow>().start_idle().await.unwrap();
        Scene::<H>::step(&outbox, 1, 1..=1).await;
        let (snapshot, done) = (Notify::new(), Notify::new());
        let tries = AtomicU32::new(0);
        // PostgreSQL refuses what it cannot know and must be asked again; MySQL knows.
        let settings = outbox.options().isolation(Isolation::RepeatableRead).retry_serialization(3);
        let run = settings.run_dyn(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
            let seen = H::numbers(uow.conn(), "SELECT pending FROM outbox_key".into()).await?;
            if tries.fetch_add(1, Ordering::Relaxed) == 0 {
                assert_eq!(seen, [1]);
                snapshot.notify_one();
                done.notified().await;
                assert_eq!(H::numbers(uow.conn(), "SELECT pending FROM outbox_key".into()).await?, [1], "the snapshot is an old one");
            }
            publish(Stepped { line: 1, step: 3 })?;
            Ok(())
        });
        // Behind its back the line gets one more, and is done with one or with both.
        let meanwhile = async {
            snapshot.notified().await;
            Scene::<H>::step(&outbox, 1, 2..=2).await;
            Scene::<H>::settle(&outbox).await;
            if settled {
                Scene::<H>::drain(&outbox).await;
            }
            assert_eq!(scene.numbers("SELECT pending FROM outbox_key").await, [i64::from(!settled)]);
            done.notify_one();
        };
        let (run, ()) = tokio::join!(run, meanwhile);
        run.unwrap();
        let waiting = Scene::<H>::waiting(&outbox).await;
        let last = waiting.last().unwrap();
        assert_eq!((waiting.len(), last.state == WaitingState::Key), (if settled { 1 } else { 2 }, !settled), "{waiting:?}");
        Scene::<H>::settle(&outbox).await;
        Scene::<H>::drain(&outbox).await;
        assert_eq!(scene.follow.done.all(), [1, 2, 3].map(|step| Stepped { line: 1, step }));
    }
}

/// Invariant 7: the line is counted under its lock, not before.
pub async fn whoever_waited_for_a_line_sees_what_became_of_it<H: Concurrent>() {
    for pending in [0, 1] {
        let scene = Scene::<H>::new().await;
        let outbox: Outbox<H::Db> = scene.process().await.handler::<follow>().start_idle().await.unwrap();
        Scene::<H>::step(&outbox, 1, 1..=1).await;
        Scene::<H>::settle(&outbox).await;
        let pool = scene.harness.connect().await;
        let mut tx = H::Db::begin(&pool, None).await.unwrap();
        H::Db::execute(&mut tx, "UPDATE outbox_key SET pending = 1 - pending".into()).await.unwrap();
        let publisher = outbox.clone();
        let publisher = tokio::spawn(async move { Scene::<H>::step(&publisher, 1, 2..=2).await });
        wait_until("the publisher waits for the line", async || scene.harness.is_waiting().await).await;
        H::Db::execute(&mut tx, format!("UPDATE outbox_key SET pending = {pending}")).await.unwrap();
        tx.commit().await.unwrap();
        publisher.await.unwrap();
        assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Key).await, pending, "with {pending} before it");
    }
}

/// Invariant 7: who settles locks the line before it looks for the next delivery; otherwise nobody would free what is added just then.
pub async fn whoever_settles_frees_what_was_added_while_it_waited_for_the_line<H: Concurrent>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let outbox: Outbox<H::Db> = scene.process().await.relay(limits).handler::<follow>().start_idle().await.unwrap();
    Scene::<H>::step(&outbox, 1, 1..=2).await;
    // The second is not in the line yet: its publisher is about to add it.
    scene.execute("UPDATE outbox SET target = 'later' WHERE visible_at IS NULL").await;
    scene.execute("UPDATE outbox_key SET pending = 1").await;
    let head = Scene::<H>::lease(&outbox, "follow", 9, Duration::from_secs(60)).await.remove(0);
    let pool = scene.harness.connect().await;
    let mut tx = H::Db::begin(&pool, None).await.unwrap();
    H::Db::execute(&mut tx, "UPDATE outbox_key SET pending = 2".into()).await.unwrap();
    H::Db::execute(&mut tx, "UPDATE outbox SET target = 'follow' WHERE target = 'later'".into()).await.unwrap();
    let store = std::sync::Arc::clone(outbox.store());
    let settling = tokio::spawn(async move { store.settle(&[Scene::<H>::settlement(&head, Outcome::Delivered)]).await });
    wait_until("who settles waits for the line", async || scene.harness.is_waiting().await).await;
    tx.commit().await.unwrap();
    assert_eq!(settling.await.unwrap().unwrap().freed, 1);
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Due).await, 1);
}
