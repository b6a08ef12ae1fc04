//! While another session holds a snapshot open, nothing that was delivered can be removed for good: the indexes fill with its remains.

use crate::backlog::{idle, number};
use events_core::{Delivery, Outcome, publish};
use events_sqlx::{Backend, Outbox, UnitOfWork};
use events_tests::events::{Noted, Stepped};
use events_tests::{Harness, OnMySql, OnPostgres, Scene};
use sqlx::Postgres;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many deliveries are published and settled at once.
const BATCH: i64 = 500;

/// The best time of a few idle looks, and that of publishing, leasing and settling a batch.
async fn pace<H: Harness>(outbox: &Outbox<H::Db>) -> (Duration, Duration) {
    let (mut look, mut batch) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(Scene::<H>::lease(outbox, "note", 1_000, Duration::from_secs(30)).await.len(), 0);
        look = look.min(begun.elapsed());
        let begun = Instant::now();
        round::<H>(outbox).await;
        batch = batch.min(begun.elapsed());
    }
    (look, batch)
}

async fn round<H: Harness>(outbox: &Outbox<H::Db>) {
    Scene::<H>::publish(outbox, 0..BATCH).await;
    let leased = Scene::<H>::lease(outbox, "note", 1_000, Duration::from_secs(30)).await;
    assert_eq!(leased.len() as i64, BATCH);
    let settlements: Vec<_> = leased.iter().map(|delivery| Scene::<H>::settlement(delivery, Outcome::Delivered)).collect();
    assert!(outbox.store().settle(&settlements).await.unwrap().lost.is_empty());
}

async fn under_a_snapshot<H: Harness>(system: &str, begin: &str) {
    let events = number("SNAPSHOT_EVENTS", 20_000);
    let scene = Scene::<H>::new().await;
    let outbox = idle(&scene).await;
    round::<H>(&outbox).await;
    let before = pace::<H>(&outbox).await;
    let pool = scene.harness.connect().await;
    let mut other = pool.acquire().await.unwrap();
    H::Db::execute(&mut other, format!("{begin}; SELECT count(*) FROM outbox")).await.unwrap();
    for _ in 0..events / BATCH as u64 {
        round::<H>(&outbox).await;
    }
    let after = pace::<H>(&outbox).await;
    let length = number("SNAPSHOT_LINE", 200);
    let line = one_line::<H>(&outbox, length as i64).await;
    H::Db::execute(&mut other, "ROLLBACK".into()).await.unwrap();
    println!(
        "{system}: before and after {events} deliveries under a snapshot: an idle look {:?} and {:?}; a batch of {BATCH} {:?} and {:?}",
        before.0, after.0, before.1, after.1
    );
    println!("{system}: {length} events of one key, one after the other: the first hundred {:?}, the last hundred {:?}", line.0, line.1);
    // Each look passes over what is dead. That must stay cheap, a few microseconds for each at the worst.
    let dead = Duration::from_micros(5) * (events as u32);
    assert!(after.0 < before.0 * 4 + dead, "an idle look takes {:?}", after.0);
    assert!(after.1 < before.1 * 4 + dead, "a batch takes {:?}", after.1);
}

/// Publishes events of one key and delivers one after the other; how long the first hundred took, and the last.
async fn one_line<H: Harness>(outbox: &Outbox<H::Db>, events: i64) -> (Duration, Duration) {
    let publish = async |_: &mut UnitOfWork<H::Db>| (0..events).try_for_each(|step| publish(Stepped { line: 1, step }).map(drop));
    outbox.run(publish).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..events / 100 {
        let begun = Instant::now();
        for _ in 0..100 {
            let leased = Scene::<H>::lease(outbox, "follow", 10, Duration::from_secs(30)).await;
            let settlement = Scene::<H>::settlement(&leased[0], Outcome::Delivered);
            assert_eq!(leased.len(), 1);
            assert_eq!(outbox.store().settle(&[settlement]).await.unwrap().lost, []);
        }
        took.push(begun.elapsed());
    }
    (took[0], took[took.len() - 1])
}

/// What became due before that time is left to looks at everything; what became due since then is found.
async fn near_looks<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = idle(&scene).await;
    Scene::<H>::publish(&outbox, [1]).await;
    // The first one shall be older than the second by more than any of the calls below takes.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let begun = Instant::now();
    Scene::<H>::publish(&outbox, [2]).await;
    let numbers = |leased: Vec<Delivery>| leased.iter().map(|it| it.envelope.open::<Noted>().unwrap().n).collect::<Vec<_>>();
    let within = begun.elapsed() + Duration::from_millis(2_500);
    assert_eq!(numbers(Scene::<H>::lease_within(&outbox, "note", within).await), [2]);
    assert_eq!(numbers(Scene::<H>::lease(&outbox, "note", 1_000, Duration::from_secs(30)).await), [1]);
}

// Invariant 18.
#[tokio::test]
async fn a_near_look_takes_only_what_became_due_lately() {
    near_looks::<OnPostgres>().await;
    near_looks::<OnMySql>().await;
}

/// The best of a few times that something took.
async fn quickest(what: impl AsyncFn()) -> Duration {
    let mut quickest = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        what().await;
        quickest = quickest.min(begun.elapsed());
    }
    quickest
}

// Invariant 18. MariaDB passes over the same remains in a tenth of the time.
#[tokio::test]
async fn on_postgres_neither_a_near_look_nor_one_for_orphans_passes_over_remains() {
    const FILL: &str = "INSERT INTO outbox (id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, visible_at) \
         SELECT gen_random_uuid(), gen_random_uuid(), 'note', 'test.noted', 1, '{}', 'application/json', '/', '{}', now(), \
                now() - interval '1 hour' + n * interval '1 millisecond' FROM generate_series(1, 200000) AS n; DELETE FROM outbox";
    let scene = Scene::<OnPostgres>::new().await;
    let outbox = idle(&scene).await;
    let pool = scene.harness.connect().await;
    let mut other = pool.acquire().await.unwrap();
    Postgres::execute(&mut other, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM outbox".into()).await.unwrap();
    scene.execute(FILL).await;
    let known: Vec<Arc<str>> = ["follow", "note"].map(Arc::from).into();
    let (long, near) = (Duration::from_secs(30), Duration::from_secs(60));
    let whole = quickest(async || assert!(Scene::<OnPostgres>::lease(&outbox, "note", 1_000, long).await.is_empty())).await;
    let near = quickest(async || assert!(Scene::<OnPostgres>::lease_within(&outbox, "note", near).await.is_empty())).await;
    let orphans = quickest(async || assert!(outbox.store().orphans(&known).await.unwrap().is_empty())).await;
    Postgres::execute(&mut other, "ROLLBACK".into()).await.unwrap();
    println!("over the remains of 200,000 deliveries: a look at everything {whole:?}, a near one {near:?}, one for orphans {orphans:?}");
    assert!(near * 3 < whole && orphans * 3 < whole, "{whole:?}, {near:?}, {orphans:?}");
}

// Invariant 18.
#[tokio::test]
async fn on_postgres_the_scanner_stays_fast_while_a_snapshot_is_held() {
    under_a_snapshot::<OnPostgres>("PostgreSQL", "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
}

// Invariant 18.
#[tokio::test]
async fn on_mariadb_the_scanner_stays_fast_while_a_snapshot_is_held() {
    under_a_snapshot::<OnMySql>(
        "MariaDB",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT",
    )
    .await;
}
