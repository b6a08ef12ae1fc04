//! Invariant 16: every background loop is supervised, bounded per database call, and tells when it last succeeded.

use events_core::test_kit::wait_until;
use events_core::{LoopHealth, RelayOptions};
use events_sqlx::sqlite::Outbox;
use events_tests::events::{Booked, Noted, note};
use events_tests::{Broken, FaultyStore, Harness, OnSqlite, Scene, Troubles};
use std::collections::HashSet;
use std::time::Duration;
use time::OffsetDateTime;

/// Quick limits, so that what was lost comes again soon.
fn limits() -> RelayOptions {
    RelayOptions {
        lease: Duration::from_millis(1_500),
        poll: Duration::from_millis(20),
        maintenance: Duration::from_millis(30),
        ..RelayOptions::default()
    }
}

async fn start(scene: &Scene<OnSqlite>, troubles: &Troubles, limits: RelayOptions) -> Outbox {
    let process = scene.process().await.relay(limits).handler::<note>().handler::<<OnSqlite as Harness>::Book>();
    troubles.during(process.wrap_store(FaultyStore::wrap).start()).await.unwrap()
}

fn health(outbox: &Outbox, name: &str) -> LoopHealth {
    outbox.health().into_iter().find(|health| health.name == name).unwrap()
}

/// Every event arrives, at least once; and the loop tells that it is well again.
async fn everything_arrives(scene: &Scene<OnSqlite>, outbox: &Outbox, events: i64, name: &str) {
    wait_until("every event has arrived and is settled", async || outbox.waiting().await.unwrap() == 0).await;
    let arrived: HashSet<i64> = scene.note.done.all().into_iter().map(|event| event.n).collect();
    assert_eq!(arrived, (0..events).collect());
    let recovered = OffsetDateTime::now_utc();
    Scene::<OnSqlite>::publish(outbox, [events]).await;
    wait_until("the loop has succeeded since", async || {
        health(outbox, name).last_success.is_some_and(|last| last + time::Duration::milliseconds(1) >= recovered)
    })
    .await;
    Scene::<OnSqlite>::until_delivered(outbox).await;
}

// Invariant 16.
#[tokio::test]
async fn a_scanner_that_panics_is_started_again() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    troubles.next("lease", [Broken::Panic; 3]);
    let outbox = start(&scene, &troubles, RelayOptions { hand_over: 0, ..limits() }).await;
    Scene::<OnSqlite>::publish(&outbox, 0..20).await;
    everything_arrives(&scene, &outbox, 20, "scanner").await;
    assert_eq!((health(&outbox, "scanner").restarts, health(&outbox, "settler").restarts), (3, 0));
}

// Invariant 16.
#[tokio::test]
async fn a_settler_that_panics_is_started_again() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    troubles.next("settle", [Broken::Panic; 2]);
    let outbox = start(&scene, &troubles, limits()).await;
    for n in 0..20 {
        Scene::<OnSqlite>::publish(&outbox, [n]).await;
    }
    everything_arrives(&scene, &outbox, 20, "settler").await;
    assert_eq!(health(&outbox, "settler").restarts, 2);
    wait_until("nothing is left in memory", async || outbox.in_flight() == 0).await;
}

// Invariant 16.
#[tokio::test]
async fn a_heartbeat_that_panics_is_started_again_in_time() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    scene.note.gate.close();
    troubles.next("renew", [Broken::Panic]);
    let lease = Duration::from_secs(5);
    let outbox = start(&scene, &troubles, RelayOptions { lease, ..limits() }).await;
    Scene::<OnSqlite>::publish(&outbox, [0]).await;
    wait_until("the heartbeat has been restarted and has renewed", async || {
        health(&outbox, "heartbeat").restarts == 1 && troubles.calls("renew") >= 2
    })
    .await;
    scene.note.gate.open();
    everything_arrives(&scene, &outbox, 1, "heartbeat").await;
    assert_eq!((scene.note.begun.all()[0].clone(), outbox.stats().lease_lost), ((Noted { n: 0 }, 1), 0));
}

// Invariant 16.
#[tokio::test]
async fn maintenance_that_panics_is_started_again() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    troubles.next("purge", [Broken::Panic]);
    troubles.next("orphans", [Broken::Panic, Broken::Error]);
    let outbox = start(&scene, &troubles, limits()).await;
    wait_until("maintenance has been through it", async || troubles.calls("orphans") >= 4).await;
    everything_arrives(&scene, &outbox, 0, "maintenance").await;
    let health = health(&outbox, "maintenance");
    assert_eq!((health.restarts, health.failures), (2, 1));
}

// Invariant 16.
#[tokio::test]
async fn errors_of_the_database_are_counted_and_survived() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    troubles.next("lease", [Broken::Error; 3]);
    troubles.next("settle", [Broken::Error; 2]);
    let outbox = start(&scene, &troubles, RelayOptions { hand_over: 5, ..limits() }).await;
    Scene::<OnSqlite>::publish(&outbox, 0..20).await;
    everything_arrives(&scene, &outbox, 20, "scanner").await;
    assert_eq!((health(&outbox, "scanner").failures, health(&outbox, "settler").failures), (3, 2));
    assert!(outbox.stats().store_errors >= 5);
    assert_eq!(scene.note.begun.len(), 21, "a settlement that failed is repeated, not the delivery");
}

// Invariant 16.
#[tokio::test]
async fn a_call_that_hangs_is_given_up_after_its_limit() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    for method in ["lease", "settle", "purge", "renew"] {
        troubles.next(method, [Broken::Hang]);
    }
    scene.note.gate.close();
    // A beat that hangs for its whole limit must still leave time for the next one.
    let call_timeout = Duration::from_millis(200);
    let outbox = start(&scene, &troubles, RelayOptions { hand_over: 5, call_timeout, ..limits() }).await;
    Scene::<OnSqlite>::publish(&outbox, 0..20).await;
    wait_until("leases were renewed", async || troubles.calls("renew") >= 2).await;
    scene.note.gate.open();
    everything_arrives(&scene, &outbox, 20, "settler").await;
    for name in ["scanner", "settler", "heartbeat", "maintenance"] {
        assert!(health(&outbox, name).failures >= 1, "{name}");
    }
    let hung = outbox.relay().stats().store_errors;
    assert!(hung >= 4, "{hung}");
}

// Invariant 16.
#[tokio::test]
async fn a_settlement_whose_answer_was_lost_is_repeated_without_harm() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    troubles.next("settle", [Broken::TooLate]);
    let outbox = start(&scene, &troubles, limits()).await;
    Scene::<OnSqlite>::publish(&outbox, 0..20).await;
    everything_arrives(&scene, &outbox, 20, "settler").await;
    assert_eq!(scene.note.begun.len(), 21, "nothing was delivered twice");
}

// Invariants 14 and 17: the outcome of a handler's own COMMIT is unknown.
#[tokio::test]
async fn a_handler_whose_commit_is_unknown_has_its_effect_once() {
    for how in [Broken::TooLate, Broken::Error] {
        let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
        troubles.next("transact", [how]);
        let outbox = start(&scene, &troubles, limits()).await;
        outbox.run(async |uow| uow.publish(Booked { n: 7 })).await.unwrap();
        wait_until("the lease has decided", async || {
            outbox.waiting().await.unwrap() == 0 && scene.business().await == [7] && outbox.in_flight() == 0
        })
        .await;
        assert_eq!(scene.note.done.all(), [Noted { n: 7 }], "{how:?}");
        assert_eq!((outbox.stats().retried, outbox.stats().dead), (0, 0), "{how:?}");
    }
}

// Invariant 4: after an outage that outlasts its leases, a process leases its own deliveries again; what it has done it only settles.
#[tokio::test]
async fn what_was_done_during_an_outage_is_not_done_again_by_the_same_process() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    troubles.next("settle", [Broken::Error; 6]);
    troubles.next("renew", [Broken::Error; 100]);
    let lease = Duration::from_millis(300);
    let outbox = start(&scene, &troubles, RelayOptions { lease, ..limits() }).await;
    let published = std::time::Instant::now();
    Scene::<OnSqlite>::publish(&outbox, 0..20).await;
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert!(published.elapsed() > 2 * lease, "the scanner has seen them with leases that had run out");
    assert_eq!((outbox.stats().lease_lost, outbox.stats().delivered_from_memory), (0, 20));
    let mut begun: Vec<i64> = scene.note.begun.all().into_iter().map(|(event, _)| event.n).collect();
    begun.sort_unstable();
    assert_eq!(begun, (0..20).collect::<Vec<_>>());
}
