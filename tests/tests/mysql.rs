//! MySQL and MariaDB keep the contract of every store, and what only they have to keep.

#![allow(clippy::unwrap_used)]

use events_core::test_kit::wait_until;
use events_core::{Error, publish};
use events_sqlx::mysql::UnitOfWork;
use events_tests::events::{Noted, note};
use events_tests::{Harness, OnMySql, Scene, concurrent_cases::Concurrent};

events_tests::store_conformance!(OnMySql);
events_tests::concurrent_conformance!(OnMySql);

/// A deadlock rolls back the whole transaction, and the session goes on without one; a unit of work must not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_of_work_that_goes_on_after_a_deadlock_is_not_reported_as_committed() {
    let scene = Scene::<OnMySql>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    scene.execute("INSERT INTO business (n) VALUES (1), (2)").await;
    for publishes in [false, true] {
        // Who has changed more rows is spared.
        let mut other = scene.harness.connect().await.begin().await.unwrap();
        for n in 100..150 {
            Scene::<OnMySql>::write(&mut other, n).await.unwrap();
        }
        let step = "UPDATE business SET step = step + 1 WHERE n = ";
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{step}1"))).execute(&mut *other).await.unwrap();
        let harness = &scene.harness;
        let run = outbox.run(async |uow: &mut UnitOfWork| -> anyhow::Result<()> {
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{step}2"))).execute(uow.conn()).await?;
            let waits = tokio::spawn(async move {
                sqlx::raw_sql("UPDATE business SET step = step + 1 WHERE n = 2").execute(&mut *other).await.unwrap();
                other.rollback().await.unwrap();
            });
            wait_until("the other transaction waits", async || harness.is_waiting().await).await;
            let deadlock = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{step}1"))).execute(uow.conn()).await.unwrap_err();
            assert!(deadlock.to_string().contains("Deadlock"), "{deadlock}");
            waits.await?;
            // The caller shrugs off the error and goes on.
            if publishes {
                publish(Noted { n: 1 })?;
            }
            Ok(())
        });
        let error = run.await.unwrap_err().downcast::<Error>().unwrap();
        assert!(matches!(error, Error::TransactionEnded { .. }), "{error:?}");
        assert_eq!(outbox.waiting().await.unwrap(), 0);
        assert_eq!(scene.numbers("SELECT max(step) FROM business").await, [0]);
    }
    assert!(scene.note.begun.is_empty());
}
