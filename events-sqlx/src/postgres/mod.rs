//! The outbox in PostgreSQL.
//!
//! Every statement runs in a transaction, even one that is alone: sqlx prepares in one trip and executes in the next, and in between a
//! pooler gives the connection away unless a transaction is open.

mod append;
mod lease;
mod wake_up;

use crate::Isolation;
use crate::backend::{Backend, CommitFailure, plain_answers, sealed};
use crate::channel::Channel;
use crate::installed::Installed;
use crate::lines::Line;
use crate::migrate::Migration;
use crate::network;
use crate::statements::{Dialect, Marks, Schema, Sources, Statement, for_all_statements, own_statement, sources};
use crate::values::{Column, Value};
use events_core::{Error, LeaseRequest, Leased, Planned, TargetRequest};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgPoolOptions, PgRow};
use sqlx::types::Uuid;
use sqlx::{Arguments, AssertSqlSafe, Column as _, PgPool, Postgres, Row, Transaction, Type};
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;

/// The outbox of a PostgreSQL database.
pub type Outbox = crate::Outbox<Postgres>;
/// A unit of work in a PostgreSQL database.
pub type UnitOfWork = crate::UnitOfWork<Postgres>;
/// The builder of an [`Outbox`].
pub type OutboxBuilder = crate::OutboxBuilder<Postgres>;

/// What a call needs besides its own data.
type Terms<'a> = crate::backend::Terms<'a, Postgres>;

/// The statements that only PostgreSQL has.
#[derive(Debug)]
pub struct Statements {
    announce: Statement,
    append: Statement,
    append_one: Statement,
    append_keyed: Statement,
    lease: Statement,
}

static INSTALLED: Installed<Postgres> = Installed::none();

/// Which advisory lock keeps two processes from migrating at once. The number is the word "outbox" in ASCII.
const MIGRATION_LOCK: i64 = 0x6f75_7462_6f78;

/// Begins what is no unit of work. A long backlog lets the planner guess high costs, and it would compile statements anew at every look: more
/// than a tenth of a second for what then takes a microsecond. The setting ends with the transaction, so it does not stay behind in a pooler.
const BEGIN_OWN: &str = "BEGIN; SET LOCAL jit = off";

impl sealed::Sealed for Postgres {}

impl Backend for Postgres {
    const SYSTEM: &'static str = "PostgreSQL";
    const SINGLE_WRITER: bool = false;
    const MIGRATIONS: &'static [Migration] = &[
        Migration { version: 1, sql: include_str!("../../migrations/postgres/0001_outbox.sql") },
        Migration { version: 2, sql: include_str!("../../migrations/postgres/0002_inbox.sql") },
        Migration { version: 3, sql: include_str!("../../migrations/postgres/0003_transactions.sql") },
        Migration { version: 4, sql: include_str!("../../migrations/postgres/0004_operations.sql") },
    ];
    const SOURCES: Sources = for_all_statements!(sources!("postgres"));
    const DIALECT: Dialect = Dialect {
        quote: '"',
        marks: Marks::Dollar,
        now: "coalesce(to_timestamp(:now::float8 / 1000), clock_timestamp())",
        micros: "(extract(epoch FROM {now}) * 1000000)::bigint",
    };
    const ENDED: &'static str = "nothing of it was committed";
    type Statements = Statements;

    fn own_statements(schema: &Schema) -> Statements {
        Statements {
            announce: own_statement!("postgres/announce", schema, &Self::DIALECT),
            append: own_statement!("postgres/append", schema, &Self::DIALECT),
            append_one: Statement::positional(include_str!("../../sql/postgres/append_one.sql"), schema, &Self::DIALECT),
            append_keyed: own_statement!("postgres/append_keyed", schema, &Self::DIALECT),
            lease: own_statement!("postgres/lease", schema, &Self::DIALECT),
        }
    }

    fn named(own: &Statements) -> Vec<(&'static str, &Statement)> {
        vec![
            ("announce", &own.announce),
            ("append", &own.append),
            ("append_one", &own.append_one),
            ("append_keyed", &own.append_keyed),
            ("lease", &own.lease),
        ]
    }

    fn installed() -> &'static Installed<Self> {
        &INSTALLED
    }

    async fn prepare(_: &PgPool) -> Result<(), Error> {
        Ok(())
    }

    fn own_pool(pool: &PgPool, connections: u32) -> PgPool {
        network::trusting(PgPoolOptions::new()).max_connections(connections).connect_lazy_with((*pool.connect_options()).clone())
    }

    async fn begin(pool: &PgPool, isolation: Option<Isolation>) -> sqlx::Result<Transaction<'static, Postgres>> {
        match isolation {
            None => pool.begin().await,
            Some(isolation) => pool.begin_with(AssertSqlSafe(format!("BEGIN ISOLATION LEVEL {}", isolation.sql()))).await,
        }
    }

    async fn begin_reading(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
        pool.begin_with(BEGIN_OWN).await
    }

    async fn begin_own(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
        pool.begin_with(BEGIN_OWN).await
    }

    async fn is_open(conn: &mut PgConnection, writes: bool) -> sqlx::Result<bool> {
        // A failed transaction refuses the outbox's INSERT; but COMMIT of it is a rollback that reports success.
        if writes {
            return Ok(true);
        }
        match sqlx::query("SELECT 1").execute(conn).await {
            Ok(_) => Ok(true),
            Err(error) if code(&error).as_deref() == Some("25P02") => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn cure(error: &sqlx::Error) -> &'static str {
        // SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
        match code(error).as_deref() {
            Some("25006") => "; the database is read-only: connect to the primary, not to a replica",
            Some("28P01" | "28000") => "; check the user and the password of the connection",
            Some("3D000") => "; the database does not exist: create it, or check its name",
            Some("3F000") => "; the schema does not exist: create it, or check the name given to `.schema(..)`",
            Some("42501") => "; the user lacks a privilege on the outbox tables: grant SELECT, INSERT, UPDATE and DELETE",
            Some("42P01") => "; the outbox tables are missing: run `events_sqlx::migrate`, or leave out `.without_migrations()`",
            Some("53100") => "; the server's disk is full: make room, what was committed is safe",
            Some("53300") => "; the server has no connection left: raise `max_connections`, or lower that of the pools",
            Some("25P02") => {
                "; an earlier statement of this transaction failed: return its error from the unit of work instead of going on"
            }
            Some("40001" | "40P01") => "; the transaction collided with another one: repeat the unit of work",
            Some("26000" | "42P05") => {
                "; a pooler mixes up prepared statements: let it prepare them itself (pgbouncer 1.21: `max_prepared_statements`), or see \
                 \"Behind a pooler\" in the documentation of events-sqlx"
            }
            _ => network::cure(error),
        }
    }

    fn commit_failure(error: &sqlx::Error) -> CommitFailure {
        match code(error).as_deref() {
            // The server was stopped, or the connection ended by somebody, perhaps after COMMIT had been carried out.
            Some("57P01" | "57P02" | "57P03" | "08006" | "08003" | "40003") => CommitFailure::Unknown,
            Some(_) => CommitFailure::RolledBack,
            None => CommitFailure::Unknown,
        }
    }

    fn collided(error: &sqlx::Error) -> bool {
        matches!(code(error).as_deref(), Some("40001" | "40P01"))
    }

    plain_answers!();

    fn bind(arguments: &mut PgArguments, value: Value<'_>) -> Result<(), BoxDynError> {
        match value {
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text),
            Value::Id(id) => arguments.add(id),
            Value::Bytes(bytes) => arguments.add(&*bytes),
            Value::Published(time) => arguments.add(time),
            Value::Column(Column::Ids(ids)) => arguments.add(ids),
            Value::Column(Column::Texts(texts)) => arguments.add(texts),
            Value::Column(Column::Ints(ints)) => arguments.add(ints),
            Value::Column(Column::Bytes(bytes)) => arguments.add(bytes),
            Value::Column(Column::Published(times)) => arguments.add(times),
            Value::List(_) => Err("PostgreSQL takes lists column by column".into()),
        }
    }

    fn int(row: &PgRow, column: usize) -> sqlx::Result<Option<i64>> {
        // Versions and counts are `integer`, places and counts of rows `bigint`. To try one and then the other would make an error with
        // its text for each value of the other.
        let small = <i32 as Type<Postgres>>::compatible(row.column(column).type_info());
        if small { Ok(row.try_get::<Option<i32>, _>(column)?.map(i64::from)) } else { row.try_get(column) }
    }

    fn time(row: &PgRow, column: usize) -> sqlx::Result<Option<OffsetDateTime>> {
        row.try_get(column)
    }

    fn published(row: &PgRow, column: usize) -> sqlx::Result<OffsetDateTime> {
        row.try_get(column)
    }

    async fn migrating(conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(conn).await.map(drop)
    }

    async fn impatient(conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query("SET LOCAL lock_timeout = '500ms'").execute(conn).await.map(drop)
    }

    async fn append(
        conn: &mut PgConnection,
        planned: &mut [Planned],
        also: Option<Line>,
        lease: Duration,
        terms: Terms<'_>,
    ) -> sqlx::Result<()> {
        append::append(conn, planned, also, lease, terms).await
    }

    async fn due(_: &PgPool, request: &LeaseRequest, _: Terms<'_>) -> sqlx::Result<Vec<TargetRequest>> {
        Ok(request.targets.clone())
    }

    async fn lease(pool: &PgPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
        lease::lease(pool, request, terms).await
    }

    async fn announce(conn: &mut PgConnection, channel: &Channel, terms: Terms<'_>) -> sqlx::Result<()> {
        wake_up::announce(conn, channel, terms).await
    }

    async fn listen(pool: &PgPool, channel: &Channel, wake: Arc<dyn Fn() + Send + Sync>) -> sqlx::Result<()> {
        wake_up::listen(pool, channel, wake).await
    }
}

/// PostgreSQL's SQLSTATE.
fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
