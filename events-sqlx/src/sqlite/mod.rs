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

use crate::backend::{Backend, CommitFailure, SettledRows, sealed};
use crate::dead_letters::DeadLetter;
use crate::deliveries::{Filter, Waiting};
use crate::installed::Installed;
use crate::migrate::Migration;
use crate::statements::{Schema, statements};
use events_core::{DeliveryId, Error, Lease, LeaseRequest, Leased, Orphans, Planned, Settlement, TargetRequest};
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

statements! { "sqlite" {inserts: append::Inserts}:
    adopt, adopt_dead, count_dead, count_waiting, dead, dead_delete, due_targets, free_keys, lease, lost, meta_exists, orphans, purge_archive,
    purge_keys, redrive_copy, renew, schema_version, set_schema_version, settle_archive, settle_dead, settle_delete, settle_hand_back,
    settle_retry, stuck_keys, waiting,
}

/// What a call needs besides its own data.
type Terms<'a> = crate::backend::Terms<'a, Statements>;

static INSTALLED: Installed<Sqlite> = Installed::none();

impl sealed::Sealed for Sqlite {}

impl Backend for Sqlite {
    const SYSTEM: &'static str = "SQLite";
    const SINGLE_WRITER: bool = true;
    const MIGRATIONS: &'static [Migration] = &[Migration { version: 1, sql: include_str!("../../migrations/sqlite/0001_outbox.sql") }];

    const ENDED: &'static str = "what ran before it was rolled back, what ran after it was committed on its own";
    type Statements = Statements;

    fn statements(schema: &Schema) -> Statements {
        Statements::of(schema)
    }

    fn installed() -> &'static Installed<Self> {
        &INSTALLED
    }

    async fn prepare(pool: &SqlitePool) -> Result<(), Error> {
        connect::prepare(pool).await
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

    async fn is_open(conn: &mut SqliteConnection, writes: bool) -> sqlx::Result<bool> {
        // Without anything to write, COMMIT itself is refused.
        if !writes {
            return Ok(true);
        }
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

    async fn schema_version(conn: &mut SqliteConnection, sql: &Statements) -> sqlx::Result<i64> {
        let table: Option<i64> = sqlx::query_scalar(sql.meta_exists.sql()).fetch_optional(&mut *conn).await?;
        if table.is_none() {
            return Ok(0);
        }
        Ok(sqlx::query_scalar(sql.schema_version.sql()).fetch_optional(conn).await?.unwrap_or(0))
    }

    async fn set_schema_version(conn: &mut SqliteConnection, sql: &Statements, version: i64) -> sqlx::Result<()> {
        sqlx::query(sql.set_schema_version.sql()).bind(version).execute(conn).await.map(drop)
    }

    async fn append(conn: &mut SqliteConnection, planned: &mut [Planned], lease: Duration, terms: Terms<'_>) -> sqlx::Result<()> {
        append::append(conn, planned, lease, terms).await
    }

    async fn due(pool: &SqlitePool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Vec<TargetRequest>> {
        lease::due(pool, request, terms).await
    }

    async fn lease(pool: &SqlitePool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
        lease::lease(pool, request, terms).await
    }

    async fn settle(conn: &mut SqliteConnection, settlements: &[Settlement], terms: Terms<'_>) -> sqlx::Result<SettledRows> {
        settle::settle(conn, settlements, terms).await
    }

    async fn lost(conn: &mut SqliteConnection, leases: &[Lease], terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
        lease::lost(conn, leases, terms).await
    }

    async fn renew(pool: &SqlitePool, leases: &[Lease], lease: Duration, terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
        lease::renew(pool, leases, lease, terms).await
    }

    async fn purge(conn: &mut SqliteConnection, archive_for: Option<Duration>, limit: u32, terms: Terms<'_>) -> sqlx::Result<u64> {
        inspect::purge(conn, archive_for, limit, terms).await
    }

    async fn adopt(conn: &mut SqliteConnection, earlier: &str, present: &str, terms: Terms<'_>) -> sqlx::Result<u64> {
        inspect::adopt(conn, earlier, present, terms).await
    }

    async fn stuck_keys(pool: &SqlitePool, limit: u32, terms: Terms<'_>) -> sqlx::Result<Vec<(String, String)>> {
        inspect::stuck_keys(pool, limit, terms).await
    }

    async fn free_keys(conn: &mut SqliteConnection, lines: &[(&str, &str)], terms: Terms<'_>) -> sqlx::Result<u64> {
        settle::free_keys(conn, lines, terms).await
    }

    async fn orphans(pool: &SqlitePool, known: &[Arc<str>], terms: Terms<'_>) -> sqlx::Result<Vec<Orphans>> {
        inspect::orphans(pool, known, terms).await
    }

    async fn count_waiting(pool: &SqlitePool, sql: &Statements) -> sqlx::Result<u64> {
        inspect::count(pool, &sql.count_waiting).await
    }

    async fn count_dead(pool: &SqlitePool, sql: &Statements) -> sqlx::Result<u64> {
        inspect::count(pool, &sql.count_dead).await
    }

    async fn waiting(pool: &SqlitePool, filter: &Filter, terms: Terms<'_>) -> sqlx::Result<Vec<Waiting>> {
        inspect::waiting(pool, filter, terms).await
    }

    async fn dead(pool: &SqlitePool, filter: &Filter, terms: Terms<'_>) -> sqlx::Result<Vec<DeadLetter>> {
        inspect::dead(pool, filter, terms).await
    }

    async fn redrive(conn: &mut SqliteConnection, ids: &[DeliveryId], terms: Terms<'_>) -> sqlx::Result<u64> {
        inspect::redrive(conn, ids, terms).await
    }

    async fn discard(conn: &mut SqliteConnection, ids: &[DeliveryId], terms: Terms<'_>) -> sqlx::Result<u64> {
        inspect::discard(conn, ids, terms).await
    }
}

/// SQLite's primary result code; the extended one has it in its lowest byte.
fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}
