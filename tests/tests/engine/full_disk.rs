//! A full disk, simulated with `PRAGMA max_page_count`: what was committed is safe, and room makes it work again.

use crate::bad_input::{options, process, publish, starts_with};
use events_core::{Backoff, RetryPolicy, State, after_commit};
use events_sqlx::sqlite::UnitOfWork;
use events_tests::events::{Booked, Noted};
use events_tests::{OnSqlite, Role, Scene};
use sqlx::SqlitePool;
use std::time::Duration;

#[tokio::test]
async fn a_full_disk_loses_nothing_and_room_makes_it_work_again() {
    const LIMIT: u32 = 300;
    let scene = Scene::<OnSqlite>::new().await;
    scene.execute("CREATE TABLE ballast (filling BLOB)").await;
    let limited = |pages: u32| options(&scene).pragma("max_page_count", pages.to_string());
    let pool = SqlitePool::connect_with(limited(LIMIT)).await.unwrap();
    scene.note.gate.close();
    let outbox = process(&scene, pool).start().await.unwrap();
    let mut committed = 0;
    let error = loop {
        let run = outbox.run(async |uow| {
            sqlx::query("INSERT INTO ballast VALUES (zeroblob(20000))").execute(uow.conn()).await?;
            uow.publish(Noted { n: committed })?;
            anyhow::Ok(())
        });
        match run.await {
            Ok(()) => committed += 1,
            Err(error) => break error,
        }
        assert!(committed < 1_000, "the limit does not work");
    };
    assert!(error.to_string().contains("database or disk is full"), "the business statement met it first: {error}");
    // Then the rest of the pages is filled with events alone.
    let error = loop {
        match publish(&outbox, committed).await {
            Ok(()) => committed += 1,
            Err(error) => break error,
        }
        assert!(committed < 10_000, "the limit does not work");
    };
    starts_with(
        &error,
        "the outbox failed while writing events to the outbox; the disk (or `PRAGMA max_page_count`) is full: make room, what was committed \
         is safe: ",
    );
    assert_eq!(i64::try_from(outbox.waiting().await.unwrap()).unwrap(), committed, "what was committed is there, and nothing else");

    // More room, as another process has it.
    let roomy = process(&scene, SqlitePool::connect_with(limited(10 * LIMIT)).await.unwrap()).start().await.unwrap();
    publish(&roomy, committed).await.unwrap();
    committed += 1;
    roomy.shutdown_within(Duration::from_millis(50)).await;
    // Or some is made.
    scene.execute("DELETE FROM ballast").await;
    publish(&outbox, committed).await.unwrap();
    committed += 1;
    scene.note.gate.open();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    let mut delivered: Vec<i64> = scene.note.done.all().into_iter().map(|event| event.n).collect();
    delivered.sort_unstable();
    assert_eq!(delivered, (0..committed).collect::<Vec<_>>());
}

// Invariant 1: when the disk is full SQLite rolls back by itself, and what follows would commit on its own, statement by statement.
#[tokio::test]
async fn a_unit_of_work_that_the_database_rolled_back_by_itself_stores_no_events() {
    let scene = Scene::<OnSqlite>::new().await;
    scene.execute("CREATE TABLE ballast (filling BLOB)").await;
    let pool = SqlitePool::connect_with(options(&scene).pragma("max_page_count", "100")).await.unwrap();
    let outbox = process(&scene, pool).start().await.unwrap();
    let run = outbox.run(async |uow| {
        Scene::<OnSqlite>::write(uow.conn(), 1).await?;
        // The caller shrugs off the error and goes on.
        sqlx::query("INSERT INTO ballast VALUES (zeroblob(2000000))").execute(uow.conn()).await.unwrap_err();
        uow.publish(Noted { n: 1 })?;
        anyhow::Ok(())
    });
    let error = run.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "SQLite ended this transaction when an earlier statement failed: what ran before it was rolled back, what ran after it was committed \
         on its own; no event was stored; return such an error from the unit of work instead of going on"
    );
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![], 0));
    // The connection is not poisoned.
    publish(&outbox, 2).await.unwrap();
    scene.note.done.wait_for(1, Duration::from_secs(10)).await;
}

/// A handler with a unit of work that shrugs off a full disk.
#[after_commit(manual)]
async fn shrug(_: Booked, uow: &mut UnitOfWork, State(role): State<Role<Booked>>) -> Result<(), sqlx::Error> {
    role.begun.push((Booked { n: 0 }, 1));
    if role.begun.len() == 1 {
        sqlx::query("INSERT INTO ballast VALUES (zeroblob(2000000))").execute(uow.conn()).await.unwrap_err();
    }
    Scene::<OnSqlite>::write(uow.conn(), 1).await?;
    sqlx::query("DELETE FROM business").execute(uow.conn()).await.map(drop)
}

// Invariant 17: the same in a handler's unit of work; its delivery must not be settled without its effect.
#[tokio::test]
async fn a_handler_s_unit_of_work_that_the_database_rolled_back_by_itself_settles_nothing() {
    let scene = Scene::<OnSqlite>::new().await;
    scene.execute("CREATE TABLE ballast (filling BLOB)").await;
    let pool = SqlitePool::connect_with(options(&scene).pragma("max_page_count", "100")).await.unwrap();
    let retry = RetryPolicy::default().backoff(Backoff::Fixed(Duration::from_millis(1)));
    let outbox = process(&scene, pool).handler::<shrug>().state(scene.book.clone()).retry(retry).start().await.unwrap();
    outbox.run(async |uow| uow.publish(Booked { n: 0 })).await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!((scene.book.begun.len(), outbox.stats().retried), (2, 1));
}
