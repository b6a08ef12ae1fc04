//! PostgreSQL keeps the contract of every store behind a pooler in transaction mode too.

#![allow(clippy::unwrap_used)]

use events_core::{BuildError, Error};
use events_tests::events::{Stepped, follow, note};
use events_tests::{Harness, OnPgbouncer, Scene};
use sqlx::postgres::PgPoolOptions;

events_tests::store_conformance!(OnPgbouncer);

/// What a program prepares on one connection of the server must not be looked for on another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_of_a_program_share_few_of_the_server_and_prepare_what_they_like() {
    const WRITERS: i64 = 8;
    const STEPS: i64 = 20;
    let scene = Scene::<OnPgbouncer>::new().await;
    let mut processes = Vec::new();
    for _ in 0..2 {
        processes.push(scene.process().await.handler::<follow>().start().await.unwrap());
    }
    let writers = (0..WRITERS).map(|line| {
        let outbox = processes[line as usize % 2].clone();
        tokio::spawn(async move {
            for step in 0..STEPS {
                let work = outbox.run(async |uow| -> anyhow::Result<()> {
                    sqlx::query("INSERT INTO business (n, step) VALUES ($1, $2)")
                        .bind(line * STEPS + step)
                        .bind(step)
                        .execute(uow.conn())
                        .await?;
                    sqlx::query("UPDATE business SET step = step + $2 WHERE n = $1")
                        .bind(line * STEPS)
                        .bind(1_i64)
                        .execute(uow.conn())
                        .await?;
                    uow.publish(Stepped { line, step })?;
                    Ok(())
                });
                work.await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    for outbox in &processes {
        Scene::<OnPgbouncer>::until_delivered(outbox).await;
    }
    let done = scene.follow.done.all();
    for line in 0..WRITERS {
        let steps: Vec<i64> = done.iter().filter(|stepped| stepped.line == line).map(|stepped| stepped.step).collect();
        assert_eq!(steps, (0..STEPS).collect::<Vec<_>>(), "line {line}");
    }
    assert_eq!(scene.count("business").await, WRITERS * STEPS);
    let of_the_pooler = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'";
    let connections = scene.numbers(of_the_pooler).await[0];
    assert!(connections <= i64::from(OnPgbouncer::CONNECTIONS), "{connections} connections of the server");
}

#[tokio::test]
async fn the_tables_can_be_migrated_through_the_pooler_and_their_version_is_checked() {
    let scene = Scene::<OnPgbouncer>::new().await;
    let start = async || scene.process().await.handler::<note>().without_migrations().start().await;
    let error = start().await.unwrap_err();
    assert!(matches!(error, Error::Build(BuildError::OlderSchema { found: 0, .. })), "{error}");
    events_sqlx::migrate(&scene.harness.connect().await).await.unwrap();
    start().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_keeps_prepared_statements_is_told_what_a_pooler_needs() {
    let scene = Scene::<OnPgbouncer>::new().await;
    let options = (*scene.harness.connect().await.connect_options()).clone().statement_cache_capacity(100);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let outbox = events_sqlx::postgres::Outbox::builder(pool).without_linked_handlers().start().await.unwrap();
    // The first time prepares it; then it is gone.
    outbox.waiting().await.unwrap();
    let error = outbox.waiting().await.unwrap_err().report();
    assert!(error.contains("pgbouncer 1.21: `max_prepared_statements`"), "{error}");
}
