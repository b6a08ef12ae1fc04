//! The outbox in MySQL and MariaDB.
//!
//! The relay's statements run in READ COMMITTED, so that they lock what they touch and nothing beside it. Units of work run in whatever
//! isolation the caller has; the counts in `outbox_key` are read through their locks, so they are right in an old snapshot too.

mod lease;

use crate::Isolation;
use crate::backend::{Backend, CommitFailure, plain_answers, sealed};
use crate::inserts::{self, Inserts};
use crate::installed::Installed;
use crate::lines::Line;
use crate::migrate::Migration;
use crate::network;
use crate::statements::{Dialect, Marks, Schema, Sources, Statement, for_all_statements, own_statement, sources};
use crate::values::Value;
use events_core::{Error, LeaseRequest, Leased, Planned, TargetRequest};
use lease::DueTargets;
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlDatabaseError, MySqlPoolOptions, MySqlRow};
use sqlx::types::Uuid;
use sqlx::{Arguments, AssertSqlSafe, MySql, MySqlPool, Row, Transaction};
use std::time::Duration;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// The outbox of a MySQL or MariaDB database.
pub type Outbox = crate::Outbox<MySql>;
/// A unit of work in a MySQL or MariaDB database.
pub type UnitOfWork = crate::UnitOfWork<MySql>;
/// The builder of an [`Outbox`].
pub type OutboxBuilder = crate::OutboxBuilder<MySql>;

/// What a call needs besides its own data.
type Terms<'a> = crate::backend::Terms<'a, MySql>;

/// The statements that only MySQL has.
#[derive(Debug)]
pub struct Statements {
    due_targets: DueTargets,
    inserts: Inserts,
    lines: Statement,
    lease_find: Statement,
    lease_lock: Statement,
    lease_pick: Statement,
    lease_take: Statement,
}

static INSTALLED: Installed<MySql> = Installed::none();

/// The lock that keeps two processes from migrating at once, and how long it is waited for, in seconds.
const MIGRATION_LOCK: &str = "SELECT GET_LOCK('events outbox migration', 60)";
const MIGRATION_UNLOCK: &str = "SELECT RELEASE_LOCK('events outbox migration')";

impl sealed::Sealed for MySql {}

impl Backend for MySql {
    const SYSTEM: &'static str = "MySQL";
    const SINGLE_WRITER: bool = false;
    const MIGRATIONS: &'static [Migration] = &[
        Migration { version: 1, sql: include_str!("../../migrations/mysql/0001_outbox.sql") },
        Migration { version: 2, sql: include_str!("../../migrations/mysql/0002_inbox.sql") },
        Migration { version: 3, sql: include_str!("../../migrations/mysql/0003_transactions.sql") },
        Migration { version: 4, sql: include_str!("../../migrations/mysql/0004_operations.sql") },
    ];
    const SOURCES: Sources = for_all_statements!(sources!("mysql"));
    const DIALECT: Dialect = Dialect {
        quote: '`',
        marks: Marks::Question,
        // Without a word about time zones: the session's may be any.
        now: "coalesce(TIMESTAMP'1970-01-01 00:00:00' + INTERVAL :now * 1000 MICROSECOND, UTC_TIMESTAMP(6))",
        micros: "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {now})",
    };
    const ENDED: &'static str = "what ran before it was rolled back, what ran after it was committed on its own";
    type Statements = Statements;

    fn own_statements(schema: &Schema) -> Statements {
        let (head, row) = (include_str!("../../sql/mysql/append.sql"), include_str!("../../sql/mysql/append_row.sql"));
        Statements {
            due_targets: DueTargets::of(schema, &Self::DIALECT),
            inserts: Inserts::of(head, row, schema, &Self::DIALECT),
            lines: own_statement!("mysql/lines", schema, &Self::DIALECT),
            lease_find: own_statement!("mysql/lease_find", schema, &Self::DIALECT),
            lease_lock: own_statement!("mysql/lease_lock", schema, &Self::DIALECT),
            lease_pick: own_statement!("mysql/lease_pick", schema, &Self::DIALECT),
            lease_take: own_statement!("mysql/lease_take", schema, &Self::DIALECT),
        }
    }

    fn named(own: &Statements) -> Vec<(&'static str, &Statement)> {
        vec![
            ("due_target", own.due_targets.one()),
            ("append", own.inserts.one()),
            ("lines", &own.lines),
            ("lease_find", &own.lease_find),
            ("lease_lock", &own.lease_lock),
            ("lease_pick", &own.lease_pick),
            ("lease_take", &own.lease_take),
        ]
    }

    fn installed() -> &'static Installed<Self> {
        &INSTALLED
    }

    async fn prepare(_: &MySqlPool) -> Result<(), Error> {
        Ok(())
    }

    fn own_pool(pool: &MySqlPool, connections: u32) -> MySqlPool {
        let read_committed = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
        network::trusting(MySqlPoolOptions::new())
            .max_connections(connections)
            .after_connect(move |conn, _| Box::pin(async move { sqlx::raw_sql(read_committed).execute(conn).await.map(drop) }))
            .connect_lazy_with((*pool.connect_options()).clone())
    }

    async fn begin(pool: &MySqlPool, isolation: Option<Isolation>) -> sqlx::Result<Transaction<'static, MySql>> {
        let mut conn = pool.acquire().await?;
        if let Some(isolation) = isolation {
            let set = AssertSqlSafe(format!("SET TRANSACTION ISOLATION LEVEL {}", isolation.sql()));
            sqlx::raw_sql(set).execute(&mut *conn).await?;
        }
        Transaction::begin(conn, None).await
    }

    async fn is_open(conn: &mut MySqlConnection, _: bool) -> sqlx::Result<bool> {
        // A deadlock rolls back everything, and the session goes on without a transaction, where a savepoint is gone at once.
        match sqlx::raw_sql("SAVEPOINT events_open; RELEASE SAVEPOINT events_open").execute(conn).await {
            Ok(_) => Ok(true),
            Err(error) if code(&error) == Some(1305) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn cure(error: &sqlx::Error) -> &'static str {
        // https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
        match code(error) {
            Some(1040 | 1203) => "; the server has no connection left: raise its `max_connections`, or lower that of the pools",
            Some(1044 | 1142 | 1143) => "; the user lacks a privilege on the outbox tables: grant SELECT, INSERT, UPDATE and DELETE",
            Some(1045) => "; check the user and the password of the connection",
            Some(1049) => "; the database does not exist: create it, or check the name given to `.schema(..)` and that of the connection",
            Some(1146) => "; the outbox tables are missing: run `events_sqlx::migrate`, or leave out `.without_migrations()`",
            Some(1114 | 1021) => "; the server's disk is full: make room, what was committed is safe",
            Some(1153) => "; the server takes no message so large: raise `max_allowed_packet`",
            Some(1205) => "; another transaction held a lock for too long: shorten it, or repeat the unit of work",
            Some(1213 | 1020) => "; the transaction collided with another one: repeat the unit of work",
            Some(1290 | 1836) => "; the server is read-only: connect to the primary, not to a replica",
            Some(1064) => "; the server is too old: MySQL 8.0 or MariaDB 10.6 is needed",
            _ => network::cure(error),
        }
    }

    fn commit_failure(error: &sqlx::Error) -> CommitFailure {
        match code(error) {
            // A collision (also one that Galera finds at COMMIT), a read-only server, a veto of group replication. Any other error may come
            // when the transaction was committed: 1180, for one, or one of those of a server that is being stopped.
            Some(1020 | 1205 | 1213 | 1290 | 1792 | 1836 | 3101) => CommitFailure::RolledBack,
            _ => CommitFailure::Unknown,
        }
    }

    fn collided(error: &sqlx::Error) -> bool {
        // 1020 is what MariaDB says where its snapshots are strict (`innodb_snapshot_isolation`).
        matches!(code(error), Some(1213 | 1205 | 1020))
    }

    plain_answers!();

    fn bind(arguments: &mut MySqlArguments, value: Value<'_>) -> Result<(), BoxDynError> {
        match value {
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text.as_deref()),
            Value::Id(id) => arguments.add(id),
            Value::Bytes(bytes) => arguments.add(&*bytes),
            Value::Published(time) => {
                let utc = time.to_offset(UtcOffset::UTC);
                arguments.add(PrimitiveDateTime::new(utc.date(), utc.time()))
            }
            Value::List(list) => arguments.add(list.json()),
            Value::Column(_) => Err("MySQL takes whole lists".into()),
        }
    }

    fn int(row: &MySqlRow, column: usize) -> sqlx::Result<Option<i64>> {
        row.try_get(column)
    }

    fn time(row: &MySqlRow, column: usize) -> sqlx::Result<Option<OffsetDateTime>> {
        Ok(row.try_get::<Option<PrimitiveDateTime>, _>(column)?.map(PrimitiveDateTime::assume_utc))
    }

    fn published(row: &MySqlRow, column: usize) -> sqlx::Result<OffsetDateTime> {
        row.try_get(column).map(PrimitiveDateTime::assume_utc)
    }

    async fn migrating(conn: &mut MySqlConnection) -> sqlx::Result<()> {
        let locked: Option<i64> = sqlx::query_scalar(MIGRATION_LOCK).fetch_one(conn).await?;
        if locked == Some(1) { Ok(()) } else { Err(sqlx::Error::Protocol("another process is migrating for more than a minute".into())) }
    }

    async fn migrated(conn: &mut MySqlConnection) -> sqlx::Result<()> {
        sqlx::query(MIGRATION_UNLOCK).execute(conn).await.map(drop)
    }

    async fn append(
        conn: &mut MySqlConnection,
        planned: &mut [Planned],
        also: Option<Line>,
        lease: Duration,
        terms: Terms<'_>,
    ) -> sqlx::Result<()> {
        inserts::append::<Self>(conn, planned, also, lease, (&terms.own.inserts, &terms.own.lines), terms).await
    }

    async fn due(pool: &MySqlPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Vec<TargetRequest>> {
        lease::due(pool, request, terms).await
    }

    async fn lease(pool: &MySqlPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
        lease::lease(pool, request, terms).await
    }
}

/// MySQL's own number of an error, which says more than its SQLSTATE.
fn code(error: &sqlx::Error) -> Option<u16> {
    Some(error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?.number())
}
