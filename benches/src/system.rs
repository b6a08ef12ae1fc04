//! What a database system must answer to be measured: business rows, what one writes by hand, and its own meters.

mod mysql;
mod postgres;
mod sqlite;

use crate::events::Order;
use crate::meter::Reading;
use clap::ValueEnum;
use events_sqlx::Backend;
use sqlx::Pool;
use sqlx::types::Uuid;
use sqlx::types::time::OffsetDateTime;
use std::future::Future;
use std::time::Duration;

/// Which system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SystemName {
    Postgres,
    Mysql,
    Sqlite,
}

/// How long leases last, by hand as in ours.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// An event's row, as written by hand.
pub(crate) struct Row<'a> {
    pub(crate) id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) target: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) key_seq: Option<i64>,
    pub(crate) payload: &'a [u8],
    pub(crate) occurred_at: OffsetDateTime,
    /// Until when nobody else may have it.
    pub(crate) visible_in: Duration,
    /// The publisher's delay.
    pub(crate) delay: Option<Duration>,
    pub(crate) token: Option<Uuid>,
}

/// The columns that are needed to rebuild an event and to decide about its retries. A handler would look at them; reading them is what
/// costs.
#[allow(dead_code)]
pub(crate) struct LeasedRow {
    pub(crate) id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) topic: String,
    pub(crate) version: i64,
    pub(crate) key: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) source: String,
    pub(crate) headers: String,
    pub(crate) occurred_at: OffsetDateTime,
    pub(crate) attempt: i64,
    pub(crate) abandoned: i64,
    pub(crate) failures: Option<String>,
}

/// What waits before a measurement begins.
pub(crate) struct Backlog<'a> {
    pub(crate) rows: u64,
    pub(crate) target: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    /// Due since a day ago, or in a day.
    pub(crate) due: bool,
}

/// A database system under measurement.
pub(crate) trait System: Backend {
    const LABEL: SystemName;
    /// Whether several processes can write at once.
    const PARALLEL: bool;

    /// Creates an empty database of that name and returns its URL.
    fn create(name: &str) -> impl Future<Output = anyhow::Result<String>> + Send;
    /// Drops it.
    fn drop(name: &str) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// A pool that asks no connection whether it is alive. `relay` is for what happens behind the publisher.
    fn connect(url: &str, connections: u32, relay: bool) -> impl Future<Output = sqlx::Result<Pool<Self>>> + Send;
    /// The statement that begins a transaction that writes.
    fn begin_writing(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<sqlx::Transaction<'static, Self>>> + Send;
    fn commit(tx: sqlx::Transaction<'static, Self>) -> impl Future<Output = sqlx::Result<()>> + Send {
        tx.commit()
    }

    /// The business table.
    fn create_orders(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// The business row.
    fn insert_order(conn: &mut Self::Connection, order: &Order) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// By hand: the events of a transaction, in one statement.
    fn insert_by_hand(conn: &mut Self::Connection, rows: &[Row<'_>]) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// By hand: deletes what was delivered, by id and token, in one transaction.
    fn delete_by_hand(pool: &Pool<Self>, ids: Vec<Uuid>, tokens: Vec<Uuid>) -> impl Future<Output = sqlx::Result<u64>> + Send;
    /// By hand: leases what is due.
    fn lease_by_hand(pool: &Pool<Self>, target: &str, limit: i64, token: Uuid)
    -> impl Future<Output = sqlx::Result<Vec<LeasedRow>>> + Send;

    /// Empties all tables.
    fn clear(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Adds rows that wait.
    fn fill(pool: &Pool<Self>, backlog: &Backlog<'_>) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Brings the statistics up to date and writes out what the server still has to write, so that nobody pays for the side before.
    fn settle_down(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Holds a snapshot open on this connection.
    fn hold_snapshot(conn: &mut Self::Connection) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Ends it.
    fn release_snapshot(conn: &mut Self::Connection) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// What the server says about its work so far.
    fn read(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<Reading>> + Send;
    /// Rows that were deleted and take up room still, once all other connections are closed.
    fn dead_rows(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<Option<u64>>> + Send;
}
