//! The outbox in SQLite.
//!
//! SQLite lets one transaction write at a time. Units of work of one process therefore stand in a fair line; other processes wait by the
//! busy timeout. A unit of work begins with `BEGIN IMMEDIATE`, so it never fails half-way because somebody else wrote first.

mod connect;
mod lease;
mod leased_row;

use crate::Isolation;
use crate::backend::{Backend, CommitFailure, plain_answers, sealed};
use crate::inserts::{self, Inserts};
use crate::installed::Installed;
use crate::lines::Line;
use crate::migrate::Migration;
use crate::statements::{Dialect, Marks, Schema, Sources, Statement, for_all_statements, own_statement, sources};
use crate::values::Value;
use events_core::{Error, LeaseRequest, Leased, Planned, TargetRequest};
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqlitePoolOptions, SqliteRow};
use sqlx::types::Uuid;
use sqlx::{Arguments, Connection, Row, SqlSafeStr, Sqlite, SqlitePool, Transaction};
use std::time::Duration;
use time::OffsetDateTime;

pub use connect::{connect, connect_options};

/// How many rows the database's thread may be ahead of the relay's reading.
const ROW_BUFFER: usize = 1_024;

/// The outbox of a SQLite database.
pub type Outbox = crate::Outbox<Sqlite>;
/// A unit of work in a SQLite database.
pub type UnitOfWork = crate::UnitOfWork<Sqlite>;
/// The builder of an [`Outbox`].
pub type OutboxBuilder = crate::OutboxBuilder<Sqlite>;

/// What a call needs besides its own data.
type Terms<'a> = crate::backend::Terms<'a, Sqlite>;

/// The statements that only SQLite has.
#[derive(Debug)]
pub struct Statements {
    due_targets: Statement,
    inserts: Inserts,
    lines: Statement,
    lease: Statement,
}

static INSTALLED: Installed<Sqlite> = Installed::none();

impl sealed::Sealed for Sqlite {}

impl Backend for Sqlite {
    const SYSTEM: &'static str = "SQLite";
    const SINGLE_WRITER: bool = true;
    const MIGRATIONS: &'static [Migration] = &[
        Migration { version: 1, sql: include_str!("../../migrations/sqlite/0001_outbox.sql") },
        Migration { version: 2, sql: include_str!("../../migrations/sqlite/0002_inbox.sql") },
        Migration { version: 3, sql: include_str!("../../migrations/sqlite/0003_transactions.sql") },
        Migration { version: 4, sql: include_str!("../../migrations/sqlite/0004_operations.sql") },
    ];

    const SOURCES: Sources = for_all_statements!(sources!("sqlite"));
    const DIALECT: Dialect = Dialect {
        quote: '"',
        marks: Marks::NumberedQuestion,
        now: "coalesce(:now, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER))",
        micros: "{now} * 1000",
    };
    const ENDED: &'static str = "what ran before it was rolled back, what ran after it was committed on its own";
    type Statements = Statements;

    fn own_statements(schema: &Schema) -> Statements {
        let (head, row) = (include_str!("../../sql/sqlite/append.sql"), include_str!("../../sql/sqlite/append_row.sql"));
        Statements {
            due_targets: own_statement!("sqlite/due_targets", schema, &Self::DIALECT),
            inserts: Inserts::of(head, row, schema, &Self::DIALECT),
            lines: own_statement!("sqlite/lines", schema, &Self::DIALECT),
            lease: own_statement!("sqlite/lease", schema, &Self::DIALECT),
        }
    }

    fn named(own: &Statements) -> Vec<(&'static str, &Statement)> {
        vec![("due_targets", &own.due_targets), ("append", own.inserts.one()), ("lines", &own.lines), ("lease", &own.lease)]
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

    async fn begin(pool: &SqlitePool, _: Option<Isolation>) -> sqlx::Result<Transaction<'static, Sqlite>> {
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

    fn collided(error: &sqlx::Error) -> bool {
        matches!(code(error), Some(5 | 6))
    }

    plain_answers!();

    fn bind(arguments: &mut SqliteArguments, value: Value<'_>) -> Result<(), BoxDynError> {
        match value {
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text.map(std::borrow::Cow::into_owned)),
            Value::Id(id) => arguments.add(id),
            Value::Bytes(bytes) => arguments.add(bytes.into_owned()),
            Value::Published(time) => arguments.add(micros(time)),
            Value::List(list) => arguments.add(list.json_with_ids_as_texts()),
            Value::Column(_) => Err("SQLite takes whole lists".into()),
        }
    }

    fn int(row: &SqliteRow, column: usize) -> sqlx::Result<Option<i64>> {
        row.try_get(column)
    }

    fn time(row: &SqliteRow, column: usize) -> sqlx::Result<Option<OffsetDateTime>> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(|millis| from_micros(millis.saturating_mul(1_000))))
    }

    fn published(row: &SqliteRow, column: usize) -> sqlx::Result<OffsetDateTime> {
        row.try_get(column).map(from_micros)
    }

    async fn append(
        conn: &mut SqliteConnection,
        planned: &mut [Planned],
        also: Option<Line>,
        lease: Duration,
        terms: Terms<'_>,
    ) -> sqlx::Result<()> {
        inserts::append::<Self>(conn, planned, also, lease, (&terms.own.inserts, &terms.own.lines), terms).await
    }

    async fn due(pool: &SqlitePool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Vec<TargetRequest>> {
        lease::due(pool, request, terms).await
    }

    async fn lease(pool: &SqlitePool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
        lease::lease(pool, request, terms).await
    }
}

fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn from_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// SQLite's primary result code; the extended one has it in its lowest byte.
fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}
