//! What a database system must answer. Sealed: each answer is SQL written for that system.

use crate::Isolation;
use crate::channel::Channel;
use crate::cipher::Cipher;
use crate::installed::Installed;
use crate::lines::Line;
use crate::migrate::Migration;
use crate::statements::{Dialect, Schema, Sources, Statement, Statements};
use crate::values::{Value, Values};
use events_core::{Error, LeaseRequest, Leased, Planned, TargetRequest};
use sqlx::error::BoxDynError;
use sqlx::types::Uuid;
use sqlx::{Database, Pool, Transaction};
use std::{fmt, future::Future, sync::Arc, time::Duration};
use time::OffsetDateTime;

pub(crate) mod sealed {
    /// Keeps [`Backend`](super::Backend) to this crate.
    pub trait Sealed {}
}

/// What a call needs besides its own data: the statements, whose time counts, and what becomes of the delivered.
pub struct Terms<'a, DB: Backend> {
    /// The statements that every system has.
    pub(crate) sql: &'a Statements,
    /// Those that only this system has.
    pub(crate) own: &'a DB::Statements,
    /// Milliseconds after the Unix epoch if a test moves the clock; `None` is the database's own time.
    pub(crate) now: Option<i64>,
    /// Whether delivered deliveries go to the archive.
    pub(crate) archive: bool,
    /// How payloads are stored.
    pub(crate) cipher: &'a Cipher,
}

impl<DB: Backend> Clone for Terms<'_, DB> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<DB: Backend> Copy for Terms<'_, DB> {}

impl<DB: Backend> fmt::Debug for Terms<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms").field("now", &self.now).field("archive", &self.archive).finish_non_exhaustive()
    }
}

/// The terms of a database system.
pub(crate) type TermsOf<'a, DB> = Terms<'a, DB>;

/// What the error of a COMMIT says about its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFailure {
    /// The transaction is rolled back.
    RolledBack,
    /// It may have been committed.
    Unknown,
}

/// A database system that can hold an outbox. Sealed; the systems are modules of this crate.
///
/// Most of what a system does is SQL in files with named parameters; code that runs it is the same for all. Its methods are not public API.
#[doc(hidden)]
pub trait Backend: Database + sealed::Sealed {
    /// The system's name, as in error messages.
    const SYSTEM: &'static str;
    /// Whether only one transaction can write at a time.
    const SINGLE_WRITER: bool;
    /// What becomes of a transaction in which a statement failed and the caller went on nevertheless.
    const ENDED: &'static str;
    /// How it writes SQL.
    const DIALECT: Dialect;
    /// All migrations, oldest first.
    const MIGRATIONS: &'static [Migration];
    /// The statements that every system has.
    const SOURCES: Sources;
    /// The statements that only this system has.
    type Statements: Send + Sync + 'static;

    /// Loads the statements that only this system has.
    fn own_statements(schema: &Schema) -> Self::Statements;
    /// Those statements, with the names of their files.
    fn named(own: &Self::Statements) -> Vec<(&'static str, &Statement)>;

    fn installed() -> &'static Installed<Self>;

    /// Puts the database into the state the outbox relies on.
    fn prepare(pool: &Pool<Self>) -> impl Future<Output = Result<(), Error>> + Send;
    /// A pool for the relay's own use, so that a business pool in demand cannot starve it.
    fn own_pool(pool: &Pool<Self>, connections: u32) -> Pool<Self>;
    /// Begins a transaction that may write.
    fn begin(pool: &Pool<Self>, isolation: Option<Isolation>) -> impl Future<Output = sqlx::Result<Transaction<'static, Self>>> + Send;
    /// Begins a transaction of the outbox's own that only reads.
    fn begin_reading(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<Transaction<'static, Self>>> + Send {
        pool.begin()
    }
    /// Begins a transaction of the outbox's own that may write, too.
    fn begin_own(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<Transaction<'static, Self>>> + Send {
        Self::begin(pool, None)
    }
    /// Whether the transaction can still be committed: a system may end it by itself when a statement fails. `writes` says whether
    /// something is going to be written, which on some systems would show it anyway.
    fn is_open(conn: &mut Self::Connection, writes: bool) -> impl Future<Output = sqlx::Result<bool>> + Send;
    /// What to do about an error, where it is known; starts with `; `.
    fn cure(error: &sqlx::Error) -> &'static str;
    /// What the error of a COMMIT says about its outcome.
    fn commit_failure(error: &sqlx::Error) -> CommitFailure;
    /// Whether the transaction was ended because it collided with another one, so that the same again may succeed.
    fn collided(error: &sqlx::Error) -> bool;

    /// Runs statements without parameters.
    fn execute(conn: &mut Self::Connection, sql: String) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Runs one statement; returns how many rows it changed.
    fn run(
        conn: &mut Self::Connection,
        statement: &Statement,
        arguments: Self::Arguments,
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;
    /// Runs one statement; returns its rows.
    fn fetch(
        conn: &mut Self::Connection,
        statement: &Statement,
        arguments: Self::Arguments,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Row>>> + Send;
    /// Adds a value to arguments.
    fn bind(arguments: &mut Self::Arguments, value: Value<'_>) -> Result<(), BoxDynError>;

    fn id(row: &Self::Row, column: usize) -> sqlx::Result<Uuid>;
    fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<&str>>;
    fn int(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>>;
    fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Vec<u8>>;
    /// A time by the database's clock.
    fn time(row: &Self::Row, column: usize) -> sqlx::Result<Option<OffsetDateTime>>;
    /// A time by the publisher's clock.
    fn published(row: &Self::Row, column: usize) -> sqlx::Result<OffsetDateTime>;

    /// Keeps other processes from migrating until [`migrated`](Self::migrated), or until the transaction ends.
    fn migrating(conn: &mut Self::Connection) -> impl Future<Output = sqlx::Result<()>> + Send {
        let _ = conn;
        std::future::ready(Ok(()))
    }
    /// From now on the transaction gives up soon where it would wait for a lock.
    fn impatient(conn: &mut Self::Connection) -> impl Future<Output = sqlx::Result<()>> + Send {
        let _ = conn;
        std::future::ready(Ok(()))
    }
    /// Lets other processes migrate.
    fn migrated(conn: &mut Self::Connection) -> impl Future<Output = sqlx::Result<()>> + Send {
        let _ = conn;
        std::future::ready(Ok(()))
    }

    /// Writes the deliveries of a unit of work, and marks those that must wait for their key. Locks `also`, a line on which the same
    /// transaction is going to settle, together with the lines it adds to.
    fn append(
        conn: &mut Self::Connection,
        planned: &mut [Planned],
        also: Option<Line>,
        lease: Duration,
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Which of the requested targets have something due. A system whose lease costs nothing when idle may name all of them.
    fn due(
        pool: &Pool<Self>,
        request: &LeaseRequest,
        terms: TermsOf<'_, Self>,
    ) -> impl Future<Output = sqlx::Result<Vec<TargetRequest>>> + Send;
    /// Leases what is due.
    fn lease(pool: &Pool<Self>, request: &LeaseRequest, terms: TermsOf<'_, Self>) -> impl Future<Output = sqlx::Result<Leased>> + Send;

    /// Wakes the processes that listen, on systems that can.
    fn announce(conn: &mut Self::Connection, channel: &Channel, terms: TermsOf<'_, Self>) -> impl Future<Output = sqlx::Result<()>> + Send {
        let _ = (conn, channel, terms);
        std::future::ready(Ok(()))
    }
    /// Calls `wake` once it listens and at every announcement; ends when the connection is lost.
    fn listen(pool: &Pool<Self>, channel: &Channel, wake: Arc<dyn Fn() + Send + Sync>) -> impl Future<Output = sqlx::Result<()>> + Send {
        let _ = (pool, channel, wake);
        std::future::pending()
    }
}

/// Runs one statement, unless this system does not need it; returns how many rows it changed.
pub(crate) async fn run<DB: Backend>(
    conn: &mut DB::Connection,
    statement: &Statement,
    values: &Values<'_>,
    now: Option<i64>,
) -> sqlx::Result<u64> {
    if statement.is_empty() {
        return Ok(0);
    }
    DB::run(conn, statement, values.arguments::<DB>(statement, now)?).await
}

/// Runs one statement; returns its rows.
pub(crate) async fn fetch<DB: Backend>(
    conn: &mut DB::Connection,
    statement: &Statement,
    values: &Values<'_>,
    now: Option<i64>,
) -> sqlx::Result<Vec<DB::Row>> {
    DB::fetch(conn, statement, values.arguments::<DB>(statement, now)?).await
}

/// The methods of [`Backend`] that look the same on every system, but cannot be written once: sqlx promises nothing about a system in
/// general.
macro_rules! plain_answers {
    () => {
        async fn execute(conn: &mut Self::Connection, sql: String) -> sqlx::Result<()> {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(conn).await.map(drop)
        }

        async fn run(conn: &mut Self::Connection, statement: &Statement, arguments: Self::Arguments) -> sqlx::Result<u64> {
            Ok(sqlx::query_with(statement.sql(), arguments).execute(conn).await?.rows_affected())
        }

        async fn fetch(conn: &mut Self::Connection, statement: &Statement, arguments: Self::Arguments) -> sqlx::Result<Vec<Self::Row>> {
            sqlx::query_with(statement.sql(), arguments).fetch_all(conn).await
        }

        fn id(row: &Self::Row, column: usize) -> sqlx::Result<Uuid> {
            row.try_get(column)
        }

        fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<&str>> {
            row.try_get(column)
        }

        fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Vec<u8>> {
            row.try_get(column)
        }
    };
}
pub(crate) use plain_answers;
