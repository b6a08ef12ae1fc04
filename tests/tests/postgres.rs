//! PostgreSQL keeps the contract of every store, and what only PostgreSQL has to keep.

#![allow(clippy::unwrap_used)]

use events_core::{BuildError, Error};
use events_sqlx::postgres::Outbox;
use events_tests::events::{Noted, note};
use events_tests::{Harness, OnPostgres, Scene};
use std::time::Duration;

events_tests::store_conformance!(OnPostgres);

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

/// Invariant 20: one transaction spans the business tables and an outbox in another schema; the schema's name is checked.
#[tokio::test]
async fn the_outbox_may_live_in_a_schema_of_its_own() {
    let scene = Scene::<OnPostgres>::new().await;
    let start = async |schema: &str| scene.process().await.handler::<note>().schema(schema).start().await;

    let error = start("x; DROP TABLE business").await.unwrap_err();
    assert!(matches!(error, Error::Build(BuildError::InvalidOption { option: "the schema's name", .. })), "{error}");
    let error = start("qmq_produce").await.unwrap_err();
    assert!(error.to_string().contains("the schema does not exist: create it"), "{error}");

    // A word of SQL is a name like any other.
    for schema in ["qmq_produce", "select"] {
        scene.execute(format!("CREATE SCHEMA \"{schema}\"")).await;
        let outbox: Outbox = start(schema).await.unwrap();
        let rolled_back = outbox.run(async |uow| -> anyhow::Result<()> {
            sqlx::query("INSERT INTO business VALUES (7)").execute(uow.conn()).await?;
            uow.publish(Noted { n: 7 })?;
            anyhow::bail!("changed my mind")
        });
        rolled_back.await.unwrap_err();
        outbox.run(async |uow| uow.publish(Noted { n: 8 })).await.unwrap();
        scene.note.done.wait_for(1, Duration::from_secs(10)).await;
        assert_eq!(scene.note.done.all().last(), Some(&Noted { n: 8 }));
        outbox.shutdown().await;
        let left = format!("SELECT count(*) FROM \"{schema}\".outbox");
        assert_eq!((scene.business().await, scene.numbers(left).await), (vec![], vec![0]));
    }
    assert!(!scene.harness.is_transaction_open().await);
}
