//! Databases that cannot be used: each error names the thing and the cure, and what was committed is safe.

use events_core::test_kit::{Seen, wait_until};
use events_core::{Error, RelayOptions};
use events_sqlx::sqlite::{self, Outbox, OutboxBuilder, connect_options};
use events_tests::events::{Noted, note};
use events_tests::{Harness, OnSqlite, Role, Scene};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use std::time::Duration;

pub(crate) fn options(scene: &Scene<OnSqlite>) -> SqliteConnectOptions {
    connect_options(scene.harness.0.path().join("a.db"))
}

pub(crate) fn process(scene: &Scene<OnSqlite>, pool: SqlitePool) -> OutboxBuilder {
    let limits = RelayOptions { poll: Duration::from_millis(20), ..RelayOptions::default() };
    Outbox::builder(pool).without_linked_handlers().handler::<note>().state(scene.note.clone()).relay(limits)
}

pub(crate) async fn publish(outbox: &Outbox, n: i64) -> Result<(), Error> {
    outbox.run(async |uow| uow.publish(Noted { n })).await.map(drop)
}

pub(crate) fn starts_with(error: &Error, text: &str) {
    let report = error.report();
    assert!(report.starts_with(text), "{report}\ndoes not start with\n{text}");
}

#[tokio::test]
async fn a_read_only_file() {
    let scene = Scene::<OnSqlite>::new().await;
    let pool = SqlitePool::connect_with(options(&scene).read_only(true)).await.unwrap();
    let error = process(&scene, pool).start().await.unwrap_err();
    starts_with(
        &error,
        "the outbox failed while migrating the outbox tables; the database file is read-only: check the permissions of the file and of its \
         folder: ",
    );
    // With the tables in place it can start, and says so at the first event.
    scene.process().await.handler::<note>().start_idle().await.unwrap();
    let pool = SqlitePool::connect_with(options(&scene).read_only(true)).await.unwrap();
    let outbox = process(&scene, pool).start_idle().await.unwrap();
    let error = publish(&outbox, 1).await.unwrap_err();
    assert!(
        error.to_string().ends_with("; the database file is read-only: check the permissions of the file and of its folder"),
        "{error}"
    );
    assert_eq!(outbox.waiting().await.unwrap(), 0);
}

#[tokio::test]
async fn a_file_that_another_process_is_writing_to() {
    let scene = Scene::<OnSqlite>::new().await;
    let pool = SqlitePool::connect_with(options(&scene).busy_timeout(Duration::from_millis(50))).await.unwrap();
    let cure = "another process is writing: shorten its transactions or raise `busy_timeout`";
    let other = scene.harness.connect().await.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = process(&scene, pool.clone()).start().await.unwrap_err();
    starts_with(&error, &format!("the outbox failed while migrating the outbox tables; {cure}: "));
    other.rollback().await.unwrap();

    let outbox = process(&scene, pool).start().await.unwrap();
    publish(&outbox, 1).await.unwrap();
    scene.note.done.wait_for(1, Duration::from_secs(10)).await;
    let other = scene.harness.connect().await.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = publish(&outbox, 2).await.unwrap_err();
    starts_with(&error, &format!("the outbox failed while beginning a transaction; {cure}: "));
    other.rollback().await.unwrap();
    publish(&outbox, 3).await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 1 }, Noted { n: 3 }]);
}

#[tokio::test]
async fn what_was_committed_is_delivered_although_another_process_locks_the_file_meanwhile() {
    let scene = Scene::<OnSqlite>::new().await;
    let pool = SqlitePool::connect_with(options(&scene).busy_timeout(Duration::from_millis(20))).await.unwrap();
    let outbox = process(&scene, pool).start().await.unwrap();
    scene.note.gate.close();
    for n in 0..20 {
        publish(&outbox, n).await.unwrap();
    }
    let other = scene.harness.connect().await.begin_with("BEGIN IMMEDIATE").await.unwrap();
    scene.note.gate.open();
    wait_until("settlements have failed", async || outbox.stats().store_errors >= 2).await;
    other.rollback().await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!(scene.note.done.len(), 20, "each was delivered once");
}

#[tokio::test]
async fn tables_of_a_newer_release() {
    let scene = Scene::<OnSqlite>::new().await;
    scene.process().await.handler::<note>().start_idle().await.unwrap();
    scene.execute("UPDATE outbox_meta SET schema_version = 99").await;
    for process in [scene.process().await, scene.process().await.without_migrations()] {
        let error = process.handler::<note>().start().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the outbox tables have schema version 99, but this release knows 4; upgrade events-sqlx before you start this process"
        );
    }
    let error = events_sqlx::migrate(&scene.harness.connect().await).await.unwrap_err();
    assert!(error.to_string().contains("schema version 99"));
    assert_eq!(scene.numbers("SELECT schema_version FROM outbox_meta").await, [99], "nothing was changed");
}

#[tokio::test]
async fn missing_tables_without_migrations() {
    let scene = Scene::<OnSqlite>::new().await;
    let error = scene.process().await.without_migrations().handler::<note>().start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the outbox tables have schema version 0, but this release needs 4; run `events_sqlx::migrate` first, or leave out \
         `.without_migrations()`"
    );
    assert_eq!(scene.count("sqlite_schema WHERE name LIKE 'outbox%'").await, 0, "nothing was made");
    assert_eq!(events_sqlx::migrate(&scene.harness.connect().await).await.unwrap(), 4);
    assert_eq!(events_sqlx::migrate(&scene.harness.connect().await).await.unwrap(), 4, "twice is no harm");
    scene.process().await.without_migrations().handler::<note>().start().await.unwrap();
}

#[tokio::test]
async fn tables_that_somebody_dropped() {
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.process().await.handler::<note>().start_idle().await.unwrap();
    scene.execute("DROP VIEW outbox_readable; DROP TABLE outbox").await;
    let cure = "the outbox tables are missing: run `events_sqlx::migrate`, or leave out `.without_migrations()`";
    starts_with(&publish(&outbox, 1).await.unwrap_err(), &format!("the outbox failed while writing events to the outbox; {cure}: "));
    starts_with(&outbox.relay().scan().await.unwrap_err(), &format!("the outbox failed while looking for due deliveries; {cure}: "));
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "Dear outbox, ".repeat(500)).unwrap();
    let error = sqlite::connect(&path).await.unwrap_err();
    let text = "the file is damaged or no SQLite database: restore it from a backup";
    starts_with(&error, &format!("the outbox failed while opening the database file `{}`; {text}: ", path.display()));
}

#[tokio::test]
async fn a_database_in_memory() {
    let pool = sqlite::connect(":memory:").await.unwrap();
    let error = Outbox::builder(pool).without_linked_handlers().start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the database is in memory, but an outbox needs a file, because each of its connections would have a memory of its own; \
         for a test, one in a temporary folder"
    );
}

#[tokio::test]
async fn a_folder_that_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/a.db");
    let error = sqlite::connect(&path).await.unwrap_err();
    let text = "the database file cannot be opened: check the path and its permissions";
    starts_with(&error, &format!("the outbox failed while opening the database file `{}`; {text}: ", path.display()));
}

#[tokio::test]
async fn a_pool_whose_connections_are_all_in_use() {
    let scene = Scene::<OnSqlite>::new().await;
    let one = SqlitePoolOptions::new().max_connections(1).acquire_timeout(Duration::from_millis(100));
    let pool = one.connect_with(options(&scene)).await.unwrap();
    let outbox = process(&scene, pool.clone()).start().await.unwrap();
    publish(&outbox, 1).await.unwrap();
    let taken = pool.acquire().await.unwrap();
    // The relay has connections of its own.
    scene.note.done.wait_for(1, Duration::from_secs(10)).await;
    let error = publish(&outbox, 2).await.unwrap_err();
    starts_with(
        &error,
        "the outbox failed while beginning a transaction; all connections of the pool are in use: raise `max_connections`: ",
    );
    drop(taken);
    Scene::<OnSqlite>::until_delivered(&outbox).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_serialized() {
    #[derive(Debug, serde::Deserialize)]
    struct Stubborn;
    impl serde::Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it does not want to"))
        }
    }
    impl events_core::DomainEvent for Stubborn {
        const TOPIC: &'static str = "test.stubborn";
        const LOCAL: bool = true;
    }
    let scene = Scene::<OnSqlite>::new().await;
    let process = scene.process().await.event::<Stubborn>().allow_unrouted().state(Seen::<u8>::new()).state(Role::<u8>::default());
    let outbox = process.start_idle().await.unwrap();
    let error = outbox.run(async |uow| uow.publish(Stubborn)).await.unwrap_err();
    assert_eq!(error.report(), "the event on topic `test.stubborn` could not be serialized: it does not want to");
}
