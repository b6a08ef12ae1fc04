//! PostgreSQL keeps the contract of every store, and what only PostgreSQL has to keep.

#![allow(clippy::unwrap_used)]

use events_core::Error;
use events_tests::events::{Noted, note};
use events_tests::{OnPostgres, Scene};

events_tests::store_conformance!(OnPostgres);
events_tests::concurrent_conformance!(OnPostgres);

/// COMMIT of a failed transaction is a rollback that reports success; a unit of work must not.
#[tokio::test]
async fn a_unit_of_work_that_goes_on_after_a_failed_statement_is_not_reported_as_committed() {
    let scene = Scene::<OnPostgres>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    for publishes in [false, true] {
        let run = outbox.run(async |uow| -> anyhow::Result<()> {
            sqlx::query("INSERT INTO business VALUES (1)").execute(uow.conn()).await?;
            // The caller shrugs off the error and goes on.
            sqlx::query("INSERT INTO business VALUES (1)").execute(uow.conn()).await.unwrap_err();
            if publishes {
                uow.publish(Noted { n: 1 })?;
            }
            Ok(())
        });
        let error = run.await.unwrap_err().downcast::<Error>().unwrap();
        if publishes {
            assert!(error.report().contains("return its error from the unit of work instead of going on"), "{}", error.report());
        } else {
            assert_eq!(
                error.to_string(),
                "PostgreSQL ended this transaction when an earlier statement failed: nothing of it was committed; no event was stored; \
                 return such an error from the unit of work instead of going on"
            );
        }
        assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![], 0));
    }
}

/// A word of SQL is a name like any other.
#[tokio::test]
async fn a_schema_may_bear_the_name_of_a_keyword() {
    let scene = Scene::<OnPostgres>::new().await;
    scene.execute("CREATE SCHEMA \"select\"").await;
    let outbox = scene.process().await.handler::<note>().schema("select").start().await.unwrap();
    Scene::<OnPostgres>::publish(&outbox, [1]).await;
    Scene::<OnPostgres>::until_delivered(&outbox).await;
    outbox.shutdown().await;
}
