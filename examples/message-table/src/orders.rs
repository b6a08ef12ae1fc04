//! Places orders: the order, its row of the message table, and the events, in one transaction.

use crate::{
    events::{ExpressPlaced, OrderOverdue, OrderPlaced},
    express::NotSent,
    message,
};
use events_core::{publish, publish_in};
use events_sqlx::sqlite::UnitOfWork;
use sqlx::SqliteConnection;
use std::time::Duration;

/// What a customer wants.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) order_no: String,
    pub(crate) quantity: i64,
}

/// Why an order was not placed. Nothing of it has happened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("order {0} has been placed already")]
    AlreadyPlaced(String),
    #[error(transparent)]
    NotSent(Box<NotSent>),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Outbox(events_core::Error),
}

/// Places an order. The outbox sends it when it can; should it or its answer get lost, it is driven again when it is `overdue`.
pub(crate) async fn place(order: &Order, overdue: Duration) -> Result<(), OrderError> {
    let Order { order_no, quantity } = order.clone();
    UnitOfWork::run(async |uow| -> Result<(), OrderError> {
        insert(uow.conn(), order).await?;
        publish(OrderPlaced { order_no: order_no.clone(), quantity })?;
        publish_in(overdue, OrderOverdue { order_no })?;
        Ok(())
    })
    .await
}

/// Places an order that exists only if the broker takes it now: the handler `send_or_roll_back` has the last word before COMMIT.
pub(crate) async fn place_express(order: &Order, overdue: Duration) -> Result<(), OrderError> {
    let Order { order_no, quantity } = order.clone();
    UnitOfWork::run(async |uow| -> Result<(), OrderError> {
        insert(uow.conn(), order).await?;
        publish(ExpressPlaced { order_no: order_no.clone(), quantity })?;
        publish_in(overdue, OrderOverdue { order_no })?;
        Ok(())
    })
    .await
}

/// The order of that number, as it was placed.
pub(crate) async fn quantity(db: &mut SqliteConnection, order_no: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT quantity FROM orders WHERE order_no = ?").bind(order_no).fetch_one(db).await
}

async fn insert(db: &mut SqliteConnection, order: &Order) -> Result<(), OrderError> {
    let inserted = sqlx::query("INSERT INTO orders (order_no, quantity) VALUES (?, ?) ON CONFLICT (order_no) DO NOTHING")
        .bind(&order.order_no)
        .bind(order.quantity)
        .execute(&mut *db)
        .await?;
    if inserted.rows_affected() == 0 {
        return Err(OrderError::AlreadyPlaced(order.order_no.clone()));
    }
    Ok(message::insert(db, &order.order_no).await?)
}

/// A `#[before_commit]` handler's refusal comes wrapped; our own reason is taken out again.
impl From<events_core::Error> for OrderError {
    fn from(error: events_core::Error) -> Self {
        error.refusal().map_or_else(Self::Outbox, |refusal| Self::NotSent(Box::new(refusal)))
    }
}
