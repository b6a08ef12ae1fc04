//! The outbox in PostgreSQL.

mod append;
mod inspect;
mod lease;
mod rows;
mod settle;

use crate::backend::{Backend, CommitFailure, SettledRows, sealed};
use crate::dead_letters::DeadLetter;
use crate::deliveries::{Filter, Waiting};
use crate::installed::Installed;
use crate::migrate::Migration;
use crate::statements::{Schema, statements};
use events_core::{DeliveryId, Error, Lease, LeaseRequest, Leased, Orphans, Planned, Settlement, TargetRequest};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use std::{sync::Arc, time::Duration};

/// The outbox of a PostgreSQL database.
pub type Outbox = crate::Outbox<Postgres>;
/// A unit of work in a PostgreSQL database.
pub type UnitOfWork = crate::UnitOfWork<Postgres>;
/// The builder of an [`Outbox`].
pub type OutboxBuilder = crate::OutboxBuilder<Postgres>;

statements! { "postgres":
    adopt, adopt_dead, append, append_keys, count_dead, count_waiting, dead, dead_delete, free_keys, lease, lock_keys, lost, meta_exists, occupied, orphans,
    purge_archive, purge_candidates, purge_keys, redrive_copy, renew, schema_version, set_schema_version, settle_archive, settle_dead,
    settle_delete, settle_hand_back, settle_retry, stuck_keys, waiting,
}

/// What a call needs besides its own data.
type Terms<'a> = crate::backend::Terms<'a, Statements>;

static INSTALLED: Installed<Postgres> = Installed::none();

/// Which advisory lock keeps two processes from migrating at once. The number is the word "outbox" in ASCII.
const MIGRATION_LOCK: i64 = 0x6f75_7462_6f78;

impl sealed::Sealed for Postgres {}

impl Backend for Postgres {
    const SYSTEM: &'static str = "PostgreSQL";
    const SINGLE_WRITER: bool = false;
    const MIGRATIONS: &'static [Migration] = &[Migration { version: 1, sql: include_str!("../../migrations/postgres/0001_outbox.sql") }];
    const ENDED: &'static str = "nothing of it was committed";
    type Statements = Statements;

    fn statements(schema: &Schema) -> Statements {
        Statements::of(schema)
    }

    fn installed() -> &'static Installed<Self> {
        &INSTALLED
    }

    async fn prepare(_: &PgPool) -> Result<(), Error> {
        Ok(())
    }

    fn own_pool(pool: &PgPool, connections: u32) -> PgPool {
        PgPoolOptions::new().max_connections(connections).connect_lazy_with((*pool.connect_options()).clone())
    }

    async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
        pool.begin().await
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
            _ if matches!(error, sqlx::Error::PoolTimedOut) => "; all connections of the pool are in use: raise `max_connections`",
            _ if matches!(error, sqlx::Error::Io(_)) => "; the server cannot be reached: check that it runs and where it listens",
            _ => "",
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

    async fn execute(conn: &mut PgConnection, sql: String) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
    }

    async fn schema_version(conn: &mut PgConnection, sql: &Statements) -> sqlx::Result<i64> {
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *conn).await?;
        let exists: bool = sqlx::query_scalar(sql.meta_exists.sql()).fetch_one(&mut *conn).await?;
        if !exists {
            return Ok(0);
        }
        Ok(sqlx::query_scalar(sql.schema_version.sql()).fetch_optional(conn).await?.unwrap_or(0))
    }

    async fn set_schema_version(conn: &mut PgConnection, sql: &Statements, version: i64) -> sqlx::Result<()> {
        sqlx::query(sql.set_schema_version.sql()).bind(version).execute(conn).await.map(drop)
    }

    async fn append(conn: &mut PgConnection, planned: &mut [Planned], lease: Duration, terms: Terms<'_>) -> sqlx::Result<()> {
        append::append(conn, planned, lease, terms).await
    }

    async fn due(_: &PgPool, request: &LeaseRequest, _: Terms<'_>) -> sqlx::Result<Vec<TargetRequest>> {
        Ok(request.targets.clone())
    }

    async fn lease(pool: &PgPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
        lease::lease(pool, request, terms).await
    }

    async fn settle(conn: &mut PgConnection, settlements: &[Settlement], terms: Terms<'_>) -> sqlx::Result<SettledRows> {
        settle::settle(conn, settlements, terms).await
    }

    async fn lost(conn: &mut PgConnection, leases: &[Lease], terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
        lease::lost(conn, leases, terms).await
    }

    async fn renew(pool: &PgPool, leases: &[Lease], lease: Duration, terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
        lease::renew(pool, leases, lease, terms).await
    }

    async fn purge(conn: &mut PgConnection, archive_for: Option<Duration>, limit: u32, terms: Terms<'_>) -> sqlx::Result<u64> {
        inspect::purge(conn, archive_for, limit, terms).await
    }

    async fn adopt(conn: &mut PgConnection, earlier: &str, present: &str, terms: Terms<'_>) -> sqlx::Result<u64> {
        inspect::adopt(conn, earlier, present, terms).await
    }

    async fn stuck_keys(pool: &PgPool, limit: u32, terms: Terms<'_>) -> sqlx::Result<Vec<(String, String)>> {
        inspect::stuck_keys(pool, limit, terms).await
    }

    async fn free_keys(conn: &mut PgConnection, lines: &[(&str, &str)], terms: Terms<'_>) -> sqlx::Result<u64> {
        settle::free_keys(conn, lines, terms).await
    }

    async fn orphans(pool: &PgPool, known: &[Arc<str>], terms: Terms<'_>) -> sqlx::Result<Vec<Orphans>> {
        inspect::orphans(pool, known, terms).await
    }

    async fn count_waiting(pool: &PgPool, sql: &Statements) -> sqlx::Result<u64> {
        inspect::count(pool, &sql.count_waiting).await
    }

    async fn count_dead(pool: &PgPool, sql: &Statements) -> sqlx::Result<u64> {
        inspect::count(pool, &sql.count_dead).await
    }

    async fn waiting(pool: &PgPool, filter: &Filter, terms: Terms<'_>) -> sqlx::Result<Vec<Waiting>> {
        inspect::waiting(pool, filter, terms).await
    }

    async fn dead(pool: &PgPool, filter: &Filter, terms: Terms<'_>) -> sqlx::Result<Vec<DeadLetter>> {
        inspect::dead(pool, filter, terms).await
    }

    async fn redrive(conn: &mut PgConnection, ids: &[DeliveryId], terms: Terms<'_>) -> sqlx::Result<u64> {
        inspect::redrive(conn, ids, terms).await
    }

    async fn discard(conn: &mut PgConnection, ids: &[DeliveryId], terms: Terms<'_>) -> sqlx::Result<u64> {
        inspect::discard(conn, ids, terms).await
    }
}

/// PostgreSQL's SQLSTATE.
fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
