//! The outbox in SQLite.
//!
//! SQLite lets one transaction write at a time. Units of work of one process therefore stand in a fair line; other processes wait by the
//! busy timeout. A unit of work begins with `BEGIN IMMEDIATE`, so it never fails half-way because somebody else wrote first.

mod append;
mod connect;
mod inspect;
mod lease;
mod leased_row;
mod rows;
mod settle;

use crate::backend::{Backend, CommitFailure, SettledRows, Terms, sealed};
use crate::dead_letters::DeadLetter;
use crate::deliveries::{Filter, Waiting};
use crate::installed::Installed;
use crate::migrate::Migration;
use events_core::{DeliveryId, Lease, LeaseRequest, Leased, Orphans, Planned, Settlement, TargetRequest};
use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr, Sqlite, SqlitePool, Transaction};
use std::{sync::Arc, time::Duration};

pub use connect::{connect, connect_options};

/// How many rows the database's thread may be ahead of the relay's reading.
const ROW_BUFFER: usize = 1_024;

/// The outbox of a SQLite database.
pub type Outbox = crate::Outbox<Sqlite>;
/// A unit of work in a SQLite database.
pub type UnitOfWork = crate::UnitOfWork<Sqlite>;
/// The builder of an [`Outbox`].
pub type OutboxBuilder = crate::OutboxBuilder<Sqlite>;

static INSTALLED: Installed<Sqlite> = Installed::none();

impl sealed::Sealed for Sqlite {}

impl Backend for Sqlite {
    const SYSTEM: &'static str = "SQLite";
    const SINGLE_WRITER: bool = true;
    const MIGRATIONS: &'static [Migration] = &[Migration { version: 1, sql: include_str!("../../migrations/sqlite/0001_outbox.sql") }];

    fn installed() -> &'static Installed<Self> {
        &INSTALLED
    }

    async fn prepare(pool: &SqlitePool) -> sqlx::Result<()> {
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await?;
        // A database in memory has no journal file; it stays as it is.
        if mode != "wal" && mode != "memory" {
            tracing::info!(mode, "switching the database to write-ahead logging, so that readers do not wait for writers");
            sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await?;
        }
        Ok(())
    }

    fn own_pool(pool: &SqlitePool, connections: u32) -> SqlitePool {
        // Leased rows come by the thousand; a small buffer makes two threads wake each other all the time.
        let options = (*pool.connect_options()).clone().row_buffer_size(ROW_BUFFER);
        SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false).connect_lazy_with(options)
    }

    async fn begin(pool: &SqlitePool) -> sqlx::Result<Transaction<'static, Sqlite>> {
        loop {
            let conn = pool.acquire().await?;
            // When the disk is full SQLite rolls back by itself; sqlx's ROLLBACK then fails, and sqlx counts a transaction that is over
            // for as long as the connection lives.
            if conn.is_in_transaction() {
                conn.close().await?;
                continue;
            }
            return Transaction::begin(conn, Some("BEGIN IMMEDIATE".into_sql_str())).await;
        }
    }

    async fn is_open(conn: &mut SqliteConnection) -> sqlx::Result<bool> {
        // SQL has no word for this question, but `BEGIN` is refused inside a transaction.
        match sqlx::query("BEGIN").execute(&mut *conn).await {
            Err(sqlx::Error::Database(_)) => Ok(true),
            Err(error) => Err(error),
            Ok(_) => {
                sqlx::query("ROLLBACK").execute(conn).await?;
                Ok(false)
            }
        }
    }

    fn cure(error: &sqlx::Error) -> &'static str {
        // Primary result codes: https://www.sqlite.org/rescode.html
        match code(error) {
            Some(5 | 6) => "; another process is writing: shorten its transactions or raise `busy_timeout`",
            Some(8) => "; the database file is read-only: check the permissions of the file and of its folder",
            Some(11 | 26) => "; the file is damaged or no SQLite database: restore it from a backup",
            Some(13) => "; the disk (or `PRAGMA max_page_count`) is full: make room, what was committed is safe",
            Some(14) => "; the database file cannot be opened: check the path and its permissions",
            Some(1) if error.to_string().contains("no such table: outbox") => {
                "; the outbox tables are missing: run `events_sqlx::migrate`, or leave out `.without_migrations()`"
            }
            _ if matches!(error, sqlx::Error::PoolTimedOut) => "; all connections of the pool are in use: raise `max_connections`",
            _ => "",
        }
    }

    fn commit_failure(error: &sqlx::Error) -> CommitFailure {
        match (error, code(error)) {
            // An I/O error may come after the commit record has reached the file.
            (sqlx::Error::Database(_), Some(10)) => CommitFailure::Unknown,
            (sqlx::Error::Database(_), _) => CommitFailure::RolledBack,
            _ => CommitFailure::Unknown,
        }
    }

    async fn execute(conn: &mut SqliteConnection, sql: String) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
    }

    async fn schema_version(conn: &mut SqliteConnection) -> sqlx::Result<i64> {
        let table: Option<i64> = sqlx::query_scalar(include_str!("../../sql/sqlite/meta_exists.sql")).fetch_optional(&mut *conn).await?;
        if table.is_none() {
            return Ok(0);
        }
        Ok(sqlx::query_scalar(include_str!("../../sql/sqlite/schema_version.sql")).fetch_optional(conn).await?.unwrap_or(0))
    }

    async fn set_schema_version(conn: &mut SqliteConnection, version: i64) -> sqlx::Result<()> {
        sqlx::query(include_str!("../../sql/sqlite/set_schema_version.sql")).bind(version).execute(conn).await.map(drop)
    }

    async fn append(conn: &mut SqliteConnection, planned: &mut [Planned], lease: Duration, terms: Terms) -> sqlx::Result<()> {
        append::append(conn, planned, lease, terms).await
    }

    async fn due(pool: &SqlitePool, request: &LeaseRequest, terms: Terms) -> sqlx::Result<Vec<TargetRequest>> {
        lease::due(pool, request, terms).await
    }

    async fn lease(pool: &SqlitePool, request: &LeaseRequest, terms: Terms) -> sqlx::Result<Leased> {
        lease::lease(pool, request, terms).await
    }

    async fn settle(conn: &mut SqliteConnection, settlements: &[Settlement], terms: Terms) -> sqlx::Result<SettledRows> {
        settle::settle(conn, settlements, terms).await
    }

    async fn lost(conn: &mut SqliteConnection, leases: &[Lease]) -> sqlx::Result<Vec<DeliveryId>> {
        lease::lost(conn, leases).await
    }

    async fn renew(pool: &SqlitePool, leases: &[Lease], lease: Duration, terms: Terms) -> sqlx::Result<Vec<DeliveryId>> {
        lease::renew(pool, leases, lease, terms).await
    }

    async fn purge(conn: &mut SqliteConnection, archive_for: Option<Duration>, limit: u32, terms: Terms) -> sqlx::Result<u64> {
        inspect::purge(conn, archive_for, limit, terms).await
    }

    async fn stuck_keys(pool: &SqlitePool, limit: u32) -> sqlx::Result<Vec<(String, String)>> {
        inspect::stuck_keys(pool, limit).await
    }

    async fn free_keys(conn: &mut SqliteConnection, lines: &[(&str, &str)], terms: Terms) -> sqlx::Result<u64> {
        settle::free_keys(conn, lines, terms).await
    }

    async fn orphans(pool: &SqlitePool, known: &[Arc<str>]) -> sqlx::Result<Vec<Orphans>> {
        inspect::orphans(pool, known).await
    }

    async fn count_waiting(pool: &SqlitePool) -> sqlx::Result<u64> {
        inspect::count(pool, include_str!("../../sql/sqlite/count_waiting.sql")).await
    }

    async fn count_dead(pool: &SqlitePool) -> sqlx::Result<u64> {
        inspect::count(pool, include_str!("../../sql/sqlite/count_dead.sql")).await
    }

    async fn waiting(pool: &SqlitePool, filter: &Filter, terms: Terms) -> sqlx::Result<Vec<Waiting>> {
        inspect::waiting(pool, filter, terms).await
    }

    async fn dead(pool: &SqlitePool, filter: &Filter) -> sqlx::Result<Vec<DeadLetter>> {
        inspect::dead(pool, filter).await
    }

    async fn redrive(conn: &mut SqliteConnection, ids: &[DeliveryId], terms: Terms) -> sqlx::Result<u64> {
        inspect::redrive(conn, ids, terms).await
    }

    async fn discard(conn: &mut SqliteConnection, ids: &[DeliveryId]) -> sqlx::Result<u64> {
        inspect::discard(conn, ids).await
    }
}

/// SQLite's primary result code; the extended one has it in its lowest byte.
fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}
