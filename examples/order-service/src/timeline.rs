//! A projection: the story of each order, told by its events. Each entry is written exactly once, by the handler's unit of work.

use crate::{
    clock,
    events::{OrderCancelled, OrderPaid, OrderPlaced, OrderShipped, TicketIssued},
    money::Money,
};
use events_core::{Metadata, after_commit};
use events_sqlx::sqlite::UnitOfWork;
use serde::Serialize;
use sqlx::SqlitePool;

/// One entry of an order's story.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    at: String,
    topic: String,
    summary: String,
    event_id: String,
}

/// The story of an order so far, oldest first. It follows the order itself by some milliseconds.
pub(crate) async fn of_order(pool: &SqlitePool, order_id: i64) -> Result<Vec<Entry>, sqlx::Error> {
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
        "SELECT occurred_at, topic, summary, event_id FROM order_timeline WHERE order_id = ? ORDER BY occurred_at, event_id",
    )
    .bind(order_id)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(at, topic, summary, event_id)| Entry { at: clock::text(at), topic, summary, event_id }).collect())
}

#[after_commit]
async fn note_placed(event: OrderPlaced, meta: Metadata, uow: &mut UnitOfWork) -> Result<(), sqlx::Error> {
    let OrderPlaced { order_id, customer, lines, total_cents } = event;
    note(uow, &meta, order_id, None, format!("{customer} ordered {lines} lines for {}", Money(total_cents))).await
}

#[after_commit]
async fn note_paid(event: OrderPaid, meta: Metadata, uow: &mut UnitOfWork) -> Result<(), sqlx::Error> {
    let OrderPaid { order_id, payment, amount_cents } = event;
    note(uow, &meta, order_id, Some(&payment), format!("paid {} ({payment})", Money(amount_cents))).await
}

#[after_commit]
async fn note_ticket(event: TicketIssued, meta: Metadata, uow: &mut UnitOfWork) -> Result<(), sqlx::Error> {
    note(uow, &meta, event.order_id, None, format!("ticket {} issued", event.ticket_no)).await
}

#[after_commit]
async fn note_shipped(event: OrderShipped, meta: Metadata, uow: &mut UnitOfWork) -> Result<(), sqlx::Error> {
    note(uow, &meta, event.order_id, None, format!("shipped to {}, {}", event.city, event.country)).await
}

#[after_commit]
async fn note_cancelled(event: OrderCancelled, meta: Metadata, uow: &mut UnitOfWork) -> Result<(), sqlx::Error> {
    note(uow, &meta, event.order_id, None, format!("cancelled: {}", event.reason)).await
}

async fn note(uow: &mut UnitOfWork, meta: &Metadata, order_id: i64, payment: Option<&str>, summary: String) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO order_timeline (order_id, event_id, topic, payment, summary, occurred_at, noted_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(order_id)
    .bind(meta.id.to_string())
    .bind(&*meta.topic)
    .bind(payment)
    .bind(summary)
    .bind(clock::micros(meta.occurred_at))
    .bind(clock::now())
    .execute(uow.conn())
    .await?;
    Ok(())
}
