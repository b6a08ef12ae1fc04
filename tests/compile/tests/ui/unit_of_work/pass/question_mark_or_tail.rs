#![allow(dead_code)]
use events_core::{domain_event, publish};
use events_sqlx::sqlite::UnitOfWork;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[derive(Debug, thiserror::Error)]
enum PayError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Outbox(#[from] events_core::Error),
}

/// As the tail, the error type is that of the function.
async fn tail(order_id: i64) -> Result<(), PayError> {
    UnitOfWork::run(async |uow| {
        sqlx::query("UPDATE orders SET paid = 1 WHERE id = ?").bind(order_id).execute(uow.conn()).await?;
        publish(OrderPaid { order_id })?;
        Ok(())
    })
    .await
}

/// Before `?`, the closure names it.
async fn question_mark(order_id: i64) -> anyhow::Result<i64> {
    let rows = UnitOfWork::run(async |uow| -> Result<u64, PayError> {
        let done = sqlx::query("UPDATE orders SET paid = 1").execute(uow.conn()).await?;
        uow.publish(OrderPaid { order_id })?;
        Ok(done.rows_affected())
    })
    .await?;
    Ok(i64::try_from(rows)?)
}

/// A function may take the place of the closure.
async fn named(uow: &mut UnitOfWork) -> Result<(), PayError> {
    uow.savepoint(async |uow| -> Result<(), PayError> {
        sqlx::query("UPDATE orders SET paid = 1").execute(uow.conn()).await?;
        Ok(())
    })
    .await
}

async fn calls_named() -> Result<(), PayError> {
    UnitOfWork::run(named).await
}

fn main() {}
