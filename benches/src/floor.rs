//! What a careful engineer writes by hand for the same promise. Knows the tables of the outbox, but nothing of this library.

use crate::database::insert_order;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, SqlitePool};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;
use uuid::Uuid;

/// How many rows the hand-written loop leases at once.
const BATCH: u32 = 1_000;

const INSERT_EVENT: &str = "INSERT INTO outbox \
    (id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at, visible_at, lease_token) \
    VALUES (?, ?, ?, ?, 1, ?, ?, ?, 'application/json', '/', '{}', ?, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) + 30000, ?)";

/// The columns are those that are needed to rebuild an event and to decide about its retries.
const LEASE: &str = "UPDATE outbox SET lease_token = ?, visible_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) + 30000 \
    WHERE rowid IN (SELECT rowid FROM outbox WHERE target = ? AND visible_at <= CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) \
                    ORDER BY visible_at LIMIT ?) \
    RETURNING id, event_id, topic, version, key, payload, content_type, source, headers, occurred_at, attempt, abandoned, failures";

const DELETE: &str = "DELETE FROM outbox WHERE id IN (SELECT unhex(value) FROM json_each(?))";

/// A hand-written publisher.
pub(crate) struct Publisher {
    pool: SqlitePool,
    /// SQLite has one writer. Without a line of its own every second task would sleep in the busy handler.
    writer: Mutex<()>,
}

/// An event as its row holds it.
pub(crate) struct Event {
    pub(crate) target: &'static str,
    pub(crate) topic: &'static str,
    pub(crate) key: Option<String>,
    pub(crate) key_seq: Option<i64>,
    pub(crate) payload: Vec<u8>,
}

/// A business row.
pub(crate) struct Order<'a> {
    pub(crate) customer_id: u64,
    pub(crate) amount_cents: i64,
    pub(crate) note: &'a str,
}

impl Publisher {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self { pool, writer: Mutex::default() }
    }

    /// One transaction: the business row and the event's row.
    pub(crate) async fn publish(&self, order: Order<'_>, event: Event) -> anyhow::Result<()> {
        let _writer = self.writer.lock().await;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        insert_order(&mut tx, order.customer_id, order.amount_cents, order.note).await?;
        sqlx::query(INSERT_EVENT)
            .bind(Uuid::now_v7())
            .bind(Uuid::now_v7())
            .bind(event.target)
            .bind(event.topic)
            .bind(event.key)
            .bind(event.key_seq)
            .bind(event.payload)
            .bind(now_micros())
            .bind(Uuid::new_v4())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn now_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_micros()).ok()).unwrap_or(0)
}

/// Leases and deletes until nothing is due; returns how many events there were.
pub(crate) async fn drain(conn: &mut SqliteConnection, target: &str, handle: impl Fn(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<u64> {
    let mut drained = 0;
    loop {
        let rows = sqlx::query(LEASE).bind(Uuid::new_v4()).bind(target).bind(BATCH).fetch_all(&mut *conn).await?;
        if rows.is_empty() {
            return Ok(drained);
        }
        let mut ids = String::from("[");
        for row in &rows {
            let leased = Leased::read(row)?;
            handle(&leased.payload)?;
            if ids.len() > 1 {
                ids.push(',');
            }
            ids.push_str(&format!("\"{}\"", leased.id.simple()));
        }
        ids.push(']');
        drained += sqlx::query(DELETE).bind(ids).execute(&mut *conn).await?.rows_affected();
    }
}

/// A leased row in Rust's types.
#[expect(dead_code, reason = "a handler would look at them; reading them is what costs")]
struct Leased {
    id: Uuid,
    event_id: Uuid,
    topic: String,
    version: u16,
    key: Option<String>,
    payload: Vec<u8>,
    content_type: String,
    source: String,
    headers: String,
    occurred_at: i64,
    attempt: u32,
    abandoned: u32,
    failures: Option<String>,
}

impl Leased {
    fn read(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get(0)?,
            event_id: row.try_get(1)?,
            topic: row.try_get(2)?,
            version: row.try_get(3)?,
            key: row.try_get(4)?,
            payload: row.try_get(5)?,
            content_type: row.try_get(6)?,
            source: row.try_get(7)?,
            headers: row.try_get(8)?,
            occurred_at: row.try_get(9)?,
            attempt: row.try_get(10)?,
            abandoned: row.try_get(11)?,
            failures: row.try_get(12)?,
        })
    }
}
