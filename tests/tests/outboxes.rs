//! Several outboxes in one process: each has its own limits, and none waits for another.

#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use events_core::test_kit::wait_until;
use events_core::{AnyOutbox, Error, LoopHealth, OutboxStatus, Outboxes, RelayOptions, Stats};
use events_sqlx::{Backend, Outbox, OutboxBuilder, postgres, sqlite};
use events_tests::events::{Noted, note};
use events_tests::{Broken, FaultyStore, Harness, OnPostgres, OnSqlite, Scene, Troubles};
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};

/// How long the usual time is, on a machine that is busy.
const USUAL: Duration = Duration::from_secs(5);

/// A way to start an outbox again and again.
fn starts<H: Harness>(scene: &Arc<Scene<H>>, limits: RelayOptions) -> impl Fn() -> Starting<H::Db> + Send + Sync + use<H> {
    let scene = Arc::clone(scene);
    move || {
        let (scene, limits) = (Arc::clone(&scene), limits.clone());
        Box::pin(async move { scene.process().await.relay(limits).handler::<note>().start().await })
    }
}

type Starting<DB> = std::pin::Pin<Box<dyn Future<Output = Result<Outbox<DB>, Error>> + Send>>;

fn limits() -> RelayOptions {
    RelayOptions { poll: Duration::from_millis(25), ..RelayOptions::default() }
}

/// Publishes in another process than the one of the group, and waits until the group has delivered it.
async fn is_served<H: Harness>(scene: &Scene<H>, n: i64) {
    let publisher = scene.process().await.handler::<note>().publish_only().start().await.unwrap();
    let begun = Instant::now();
    Scene::<H>::publish(&publisher, [n]).await;
    wait_until("the group has delivered it", async || scene.note.done.all().contains(&Noted { n })).await;
    assert!(begun.elapsed() < USUAL, "{:?}", begun.elapsed());
}

fn status(outboxes: &Outboxes, name: &str) -> OutboxStatus {
    outboxes.status().into_iter().find(|status| &*status.name == name).unwrap()
}

async fn until_running(outboxes: &Outboxes, name: &str) {
    wait_until("it runs", async || status(outboxes, name).running).await;
}

/// A port of this machine on which nobody listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn unreachable() -> OutboxBuilder<sqlx::Postgres> {
    let url = format!("postgres://nobody@127.0.0.1:{}/nowhere", closed_port());
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(2)).connect_lazy(&url).unwrap();
    postgres::Outbox::builder(pool).without_linked_handlers().handler::<note>()
}

#[tokio::test]
async fn a_database_that_is_away_keeps_no_other_waiting_and_is_served_as_soon_as_it_is_back() {
    let (one, other) = (Arc::new(Scene::<OnSqlite>::new().await), Arc::new(Scene::<OnSqlite>::new().await));
    let (back, third) = (Arc::new(AtomicBool::new(false)), Arc::new(Scene::<OnPostgres>::new().await));
    let outboxes = Outboxes::new();
    let begun = Instant::now();
    let start_third = starts(&third, limits());
    let is_back = Arc::clone(&back);
    outboxes
        .add("third", move || {
            let started = start_third();
            let is_back = is_back.load(Ordering::Relaxed);
            async move { if is_back { started.await } else { unreachable().state(events_tests::Role::<Noted>::default()).start().await } }
        })
        .unwrap();
    outboxes.add("one", starts(&one, limits())).unwrap();
    outboxes.add("other", starts(&other, limits())).unwrap();
    assert!(begun.elapsed() < Duration::from_millis(500), "adding waits for nobody: {:?}", begun.elapsed());

    is_served(&one, 1).await;
    is_served(&other, 2).await;
    let away = status(&outboxes, "third");
    assert!(!away.running && away.health.is_empty(), "{away:?}");
    wait_until("it is reported", async || status(&outboxes, "third").failed_starts >= 1).await;
    let away = status(&outboxes, "third");
    assert!(away.last_error.as_deref().unwrap().contains("migrating the outbox tables"), "{away:?}");
    let waiting = outboxes.waiting(USUAL).await;
    assert_eq!(waiting.iter().map(|(name, count)| (&**name, *count.as_ref().unwrap())).collect::<Vec<_>>(), [("one", 0), ("other", 0)]);

    back.store(true, Ordering::Relaxed);
    until_running(&outboxes, "third").await;
    assert_eq!(status(&outboxes, "third").last_error, None);
    is_served(&third, 3).await;
    assert_eq!(outboxes.names().iter().map(|name| &**name).collect::<Vec<_>>(), ["one", "other", "third"]);
    assert_eq!(outboxes.shutdown_within(USUAL).await.iter().map(|(_, left)| left).sum::<usize>(), 0);
}

#[tokio::test]
async fn a_database_that_answers_nothing_delays_no_other_and_no_shutdown() {
    let (well, ill) = (Arc::new(Scene::<OnSqlite>::new().await), Arc::new(Scene::<OnSqlite>::new().await));
    let troubles = Troubles::default();
    let outboxes = Outboxes::new();
    let (scene, script) = (Arc::clone(&ill), troubles.clone());
    outboxes
        .add("ill", move || {
            let (scene, script) = (Arc::clone(&scene), script.clone());
            async move {
                let process = scene.process().await.handler::<note>().wrap_store(FaultyStore::wrap);
                script.during(process.start()).await
            }
        })
        .unwrap();
    until_running(&outboxes, "ill").await;
    troubles.always(Broken::Hang);
    wait_until("it hangs", async || troubles.calls("lease") >= 1).await;
    outboxes.add("well", starts(&well, limits())).unwrap();
    for n in 0..20 {
        is_served(&well, n).await;
    }
    let begun = Instant::now();
    outboxes.shutdown_within(Duration::from_millis(500)).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn outboxes_come_and_go_while_the_others_run_each_with_its_own_limits() {
    let (one, other) = (Arc::new(Scene::<OnSqlite>::new().await), Arc::new(Scene::<OnSqlite>::new().await));
    let outboxes = Outboxes::new();
    outboxes.add("one", starts(&one, limits())).unwrap();
    let error = outboxes.add("one", starts(&other, limits())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the outbox's name is `one`, but another outbox of the group has this name; choose another, or remove that one first"
    );
    is_served(&one, 1).await;

    outboxes.add("other", starts(&other, RelayOptions { exclusive: true, ..limits() })).unwrap();
    is_served(&other, 2).await;
    let standby = Arc::new(starts(&other, RelayOptions { exclusive: true, ..limits() }));
    outboxes.add("standby", move || standby()).unwrap();
    wait_until("it stands by", async || {
        status(&outboxes, "standby").health.iter().any(|health| (health.name, health.standby) == ("scanner", true))
    })
    .await;

    assert_eq!(outboxes.remove("other", USUAL).await, Some(0));
    assert_eq!(outboxes.remove("other", USUAL).await, None);
    assert!(!outboxes.has("other") && outboxes.get("other").is_none() && outboxes.has("one"));
    is_served(&other, 3).await;
    is_served(&one, 4).await;
    wait_until("both are settled", async || status(&outboxes, "one").stats.delivered_by_scanner == 2).await;

    outboxes.shutdown().await;
    assert!(outboxes.names().is_empty());
    assert!(outboxes.add("late", starts(&one, limits())).unwrap_err().to_string().contains("its group was shut down"));
}

#[tokio::test]
async fn a_start_that_panics_is_tried_again_and_one_that_hangs_can_be_removed() {
    let scene = Arc::new(Scene::<OnSqlite>::new().await);
    let outboxes = Outboxes::new();
    let panicked = AtomicBool::new(false);
    let start = starts(&scene, limits());
    outboxes
        .add("clumsy", move || {
            assert!(panicked.swap(true, Ordering::Relaxed), "dropped it");
            start()
        })
        .unwrap();
    until_running(&outboxes, "clumsy").await;
    let clumsy = status(&outboxes, "clumsy");
    assert_eq!((clumsy.failed_starts, clumsy.last_error), (1, None));

    outboxes.add("hangs", || async { std::future::pending::<Result<sqlite::Outbox, Error>>().await }).unwrap();
    let begun = Instant::now();
    assert_eq!(outboxes.remove("hangs", USUAL).await, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// An outbox whose database does not say how much waits.
struct Silent;

#[async_trait]
impl AnyOutbox for Silent {
    fn stats(&self) -> Stats {
        Stats::default()
    }
    fn health(&self) -> Vec<LoopHealth> {
        Vec::new()
    }
    fn in_flight(&self) -> usize {
        0
    }
    async fn waiting(&self) -> Result<u64, Error> {
        std::future::pending().await
    }
    async fn dead_count(&self) -> Result<u64, Error> {
        std::future::pending().await
    }
    async fn shutdown_within(&self, deadline: Duration) -> usize {
        tokio::time::sleep(deadline).await;
        7
    }
}

#[tokio::test]
async fn all_are_asked_and_shut_down_at_once() {
    let scene = Arc::new(Scene::<OnSqlite>::new().await);
    let outboxes = Outboxes::new();
    for name in ["a", "b", "c"] {
        outboxes.add(name, || async { Ok::<_, Error>(Silent) }).unwrap();
        until_running(&outboxes, name).await;
    }
    outboxes.add("speaks", starts(&scene, limits())).unwrap();
    until_running(&outboxes, "speaks").await;
    let (begun, within) = (Instant::now(), Duration::from_secs(1));
    let answers = outboxes.waiting(within).await;
    assert_eq!(answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(name, _)| &**name).collect::<Vec<_>>(), ["speaks"]);
    let left = outboxes.shutdown_within(within).await;
    assert_eq!(left.iter().map(|(name, left)| (&**name, *left)).collect::<Vec<_>>(), [("a", 7), ("b", 7), ("c", 7), ("speaks", 0)]);
    assert!(begun.elapsed() < within * 3, "{:?}", begun.elapsed());
}

/// The bound that the group needs holds for every system.
#[expect(dead_code, reason = "it compiles, that is all")]
fn any<DB: Backend>(outbox: Outbox<DB>, _: PgPool) -> Arc<dyn AnyOutbox> {
    Arc::new(outbox)
}
