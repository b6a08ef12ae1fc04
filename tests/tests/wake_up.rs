//! Wake-ups between processes: optional, coalesced, outside business transactions. On PostgreSQL, which has LISTEN and NOTIFY.

#![allow(clippy::unwrap_used)]

use events_core::test_kit::{Fault, Seen, wait_until, wait_until_within};
use events_core::{DeliveryError, LoopHealth, RelayOptions, State, after_commit};
use events_sqlx::postgres::{Outbox, OutboxBuilder};
use events_sqlx::{Filter, WaitingState};
use events_tests::events::{Noted, follow, note};
use events_tests::servers::Pgbouncer;
use events_tests::{Broken, FaultyStore, Harness, OnPostgres, Scene, Troubles};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::{Duration, Instant};
use time::OffsetDateTime;

type OnServer = Scene<OnPostgres>;

/// So long that nothing in these tests is found by polling.
const NEVER: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(10);

fn rarely() -> RelayOptions {
    RelayOptions { poll: NEVER, ..RelayOptions::default() }
}

fn health(outbox: &Outbox, name: &str) -> LoopHealth {
    outbox.health().into_iter().find(|health| health.name == name).unwrap()
}

/// A process that delivers, and listens by now.
async fn worker(process: OutboxBuilder) -> Outbox {
    let worker = process.handler::<note>().handler::<follow>().start().await.unwrap();
    wait_until("it listens and has looked", async || {
        let listening = health(&worker, "listener").last_success;
        listening.is_some() && health(&worker, "scanner").last_success >= listening
    })
    .await;
    worker
}

async fn publisher(scene: &OnServer) -> Outbox {
    scene.process().await.handler::<note>().handler::<follow>().publish_only().start().await.unwrap()
}

async fn listeners(scene: &OnServer) -> i64 {
    scene.numbers("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'").await[0]
}

// Invariant 19.
#[tokio::test]
async fn what_others_stored_is_delivered_without_waiting_for_a_poll() {
    let scene = OnServer::new().await;
    let worker = worker(scene.process().await.relay(rarely())).await;
    let publisher = publisher(&scene).await;
    for n in 0..20 {
        OnServer::publish(&publisher, [n]).await;
        scene.note.done.wait_for(n as usize + 1, SOON).await;
    }
    OnServer::until_delivered(&worker).await;
    assert_eq!(worker.stats().delivered_by_scanner, 20);
    assert_eq!((health(&publisher, "announcer").failures, worker.stats().store_errors), (0, 0));
}

// Invariant 19.
#[tokio::test]
async fn whoever_redrives_wakes_who_delivers() {
    let scene = OnServer::new().await;
    scene.note.faults.next(1, Fault::Terminal);
    let worker = worker(scene.process().await.relay(rarely())).await;
    OnServer::publish(&worker, [1]).await;
    wait_until("it is dead", async || worker.dead_count().await.unwrap() == 1).await;
    let other = publisher(&scene).await;
    assert_eq!(other.dead_letters().redrive(&Filter::all()).await.unwrap(), 1);
    scene.note.done.wait_for(1, SOON).await;
}

// Invariant 19.
#[tokio::test]
async fn what_overflows_in_one_process_wakes_the_others() {
    let scene = OnServer::new().await;
    let worker = worker(scene.process().await.relay(rarely())).await;
    // Its own scanner hangs.
    let troubles = Troubles::default();
    troubles.next("lease", [Broken::Hang; 100]);
    let full = scene.process().await.relay(RelayOptions { hand_over: 0, ..rarely() }).handler::<note>().wrap_store(FaultyStore::wrap);
    let full = troubles.during(full.start()).await.unwrap();
    OnServer::publish(&full, [1]).await;
    scene.note.done.wait_for(1, SOON).await;
    OnServer::until_delivered(&worker).await;
    assert_eq!((full.stats().overflowed, worker.stats().delivered_by_scanner), (1, 1));
}

// Invariants 7 and 19: who stands by does not scan, so it tells who leads.
#[tokio::test]
async fn a_key_that_is_freed_by_who_stands_by_wakes_the_leader() {
    let scene = OnServer::new().await;
    let limits = RelayOptions { exclusive: true, ..rarely() };
    let leader = worker(scene.process().await.relay(limits.clone())).await;
    let standby = scene.process().await.relay(limits).handler::<follow>().start().await.unwrap();
    wait_until("it stands by", async || health(&standby, "scanner").standby).await;
    scene.follow.gate.close();
    // The first is handed over from memory, the others wait for their key.
    OnServer::step(&standby, 1, 1..=5).await;
    scene.follow.begun.wait_for(1, SOON).await;
    assert_eq!(OnServer::in_state(&standby, WaitingState::Key).await, 4);
    scene.follow.gate.open();
    scene.follow.done.wait_for(5, SOON).await;
    OnServer::until_delivered(&leader).await;
    assert_eq!((standby.stats().delivered_from_memory, leader.stats().delivered_by_scanner), (1, 4));
}

// Invariant 19.
#[tokio::test]
async fn nobody_is_woken_by_what_it_announced_itself() {
    let scene = OnServer::new().await;
    let start = async || scene.process().await.handler::<note>().start_idle().await.unwrap();
    let (one, other) = (start().await, start().await);
    let wakes = Arc::new(AtomicUsize::new(0));
    let (store, counted) = (Arc::clone(one.store()), Arc::clone(&wakes));
    let wake = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let listening = tokio::spawn(async move { store.listen(Arc::new(wake)).await });
    wait_until("it listens", async || wakes.load(Ordering::SeqCst) == 1).await;
    for _ in 0..5 {
        one.store().announce().await.unwrap();
    }
    // Announcements arrive in order, so the five are through when this one is.
    other.store().announce().await.unwrap();
    wait_until("it heard the other", async || wakes.load(Ordering::SeqCst) >= 2).await;
    assert_eq!(wakes.load(Ordering::SeqCst), 2);
    listening.abort();
}

// Invariant 19.
#[tokio::test]
async fn announcements_are_coalesced_and_outside_business_transactions() {
    let (scene, troubles) = (OnServer::new().await, Troubles::default());
    let process = scene.process().await.handler::<note>().publish_only().wrap_store(FaultyStore::wrap);
    let publisher = troubles.during(process.start()).await.unwrap();
    let (calls, begun) = (|| troubles.calls("announce"), Instant::now());
    publisher
        .run(async |uow| {
            uow.publish(Noted { n: 0 })?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(calls(), 0, "before COMMIT there is nothing to tell");
            Ok::<_, events_core::Error>(())
        })
        .await
        .unwrap();
    for n in 1..=300 {
        OnServer::publish(&publisher, [n]).await;
    }
    wait_until("it has announced", async || calls() >= 1).await;
    let at_most = begun.elapsed().as_millis() as usize / 10 + 2;
    assert!(calls() <= at_most && calls() < 300, "{} announcements, at most {at_most}", calls());

    let nothing = async |_: &mut _| Ok::<_, events_core::Error>(());
    let before = calls();
    publisher.run(nothing).await.unwrap();
    assert!(!wait_until_within(Duration::from_millis(100), async || calls() > before + 1).await, "nothing was stored");
}

// Invariant 19.
#[tokio::test]
async fn a_listener_whose_connection_is_cut_listens_again_and_looks_once() {
    let scene = OnServer::new().await;
    let worker = worker(scene.process().await.relay(rarely())).await;
    let publisher = publisher(&scene).await;
    for round in 1..=3_i64 {
        assert_eq!(listeners(&scene).await, 1, "one connection listens");
        let cut = OffsetDateTime::now_utc() - time::Duration::milliseconds(1);
        scene
            .numbers(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()",
            )
            .await;
        // Published while nobody listens: the look after the reconnection finds it.
        OnServer::publish(&publisher, [round]).await;
        scene.note.done.wait_for(round as usize, SOON).await;
        wait_until("it listens again", async || health(&worker, "listener").last_success > Some(cut)).await;
    }
    let listener = health(&worker, "listener");
    assert_eq!((listener.failures, listener.restarts), (3, 0));
}

// Invariant 19.
#[tokio::test]
async fn without_notifications_no_connection_listens_and_polling_finds_everything() {
    let scene = OnServer::new().await;
    let worker = scene.process().await.handler::<note>().notify(false).start().await.unwrap();
    let publisher = publisher(&scene).await;
    OnServer::publish(&publisher, 0..10).await;
    scene.note.done.wait_for(10, SOON).await;
    assert_eq!((listeners(&scene).await, health(&worker, "listener").last_success), (0, None));
}

// Invariant 19: a LISTEN there would stay with a connection that others use after us, and break their transactions.
#[tokio::test]
async fn behind_a_pooler_nobody_listens_and_the_transactions_of_others_are_left_alone() {
    // A pooler refuses a setting that it does not know, or drops it.
    for ignored in ["extra_float_digits", "extra_float_digits, options"] {
        let scene = OnServer::new().await;
        let direct = scene.process().await.handler::<note>().start_idle().await.unwrap();
        let pooler = Pgbouncer::before_and_ignoring(&scene.harness.options(), 4, ignored);
        let pool = sqlx::PgPool::connect_with(pooler.options(scene.harness.name())).await.unwrap();
        let pooled = Outbox::builder(pool).without_linked_handlers().without_migrations().start_idle().await.unwrap();
        let store = Arc::clone(pooled.store());
        let listening = tokio::spawn(async move { store.listen(Arc::new(|| ())).await });
        assert!(!wait_until_within(Duration::from_secs(1), async || listeners(&scene).await > 0).await, "{ignored}");
        if listening.is_finished() {
            panic!("it is no error: {ignored}: {:?}", listening.await);
        }
        direct.store().announce().await.unwrap();
        for _ in 0..20 {
            assert_eq!(pooled.waiting().await.unwrap(), 0, "{ignored}");
        }
        listening.abort();
    }
}

/// Takes the time between COMMIT and handler.
#[after_commit(manual, name = "note")]
async fn clocked(event: Noted, State(taken): State<Seen<Duration>>) -> Result<(), DeliveryError> {
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
    taken.push(Duration::from_micros(u64::try_from(now - i128::from(event.n))?));
    Ok(())
}

/// Prints the time from a COMMIT in another process to the handler; `WAKE_UP_EVENTS` of them, a few by default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_up_is_faster_than_a_poll() {
    let events: usize = std::env::var("WAKE_UP_EVENTS").map_or(12, |events| events.parse().unwrap());
    let mut medians = Vec::new();
    for (notify, pause) in [(true, 250), (false, 250), (true, 20), (false, 20)] {
        let scene = OnServer::new().await;
        let taken = Seen::<Duration>::new();
        // The default limits: a poll every second.
        let pool = scene.harness.connect().await;
        let worker = Outbox::builder(pool.clone()).without_linked_handlers().handler::<clocked>().state(taken.clone()).notify(notify);
        let worker = worker.start().await.unwrap();
        let url = sqlx::ConnectOptions::to_url_lossy(&*pool.connect_options()).to_string();
        let mut publisher = tokio::process::Command::new(env!("CARGO_BIN_EXE_publish_only"));
        publisher.args([&url, &events.to_string(), &pause.to_string(), &notify.to_string()]);
        assert!(publisher.status().await.unwrap().success());
        let mut latencies = taken.wait_for(events, SOON).await;
        latencies.sort_unstable();
        let at = |share: usize| latencies[(events * share / 100).min(events - 1)];
        println!("notify {notify:5}, an event every {pause:3} ms: p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
        medians.push(at(50));
        worker.shutdown().await;
    }
    assert!(medians[0] * 2 < medians[1], "{medians:?}");
}
