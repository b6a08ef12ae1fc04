//! Sends the customer a receipt. Mail cannot be part of a transaction, so this happens at least once.

use crate::{clock, events::OrderPaid};
use events_core::{Metadata, State, after_commit};
use sqlx::SqlitePool;

/// Where mail is handed in; every letter leaves a row, so that the audit can count those that were sent twice.
#[derive(Clone)]
pub(crate) struct Mailbox {
    pub(crate) pool: SqlitePool,
}

impl Mailbox {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

/// Writes on a connection of its own, as a mail server would: if the process dies between the letter and the settlement of this
/// delivery, the customer gets a second letter.
#[after_commit(attempts = 8, backoff = "50ms..5s", timeout = "30s", concurrency = 4, idempotent)]
async fn send_receipt(event: OrderPaid, meta: Metadata, State(mailbox): State<Mailbox>) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO receipts (order_id, event_id, payment, amount_cents, occurred_at, sent_at) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(event.order_id)
        .bind(meta.id.to_string())
        .bind(&event.payment)
        .bind(event.amount_cents)
        .bind(clock::micros(meta.occurred_at))
        .bind(clock::now())
        .execute(&mailbox.pool)
        .await?;
    Ok(())
}
