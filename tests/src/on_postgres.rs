//! PostgreSQL, put to the test.

use crate::{Conn, Harness, Role, Scene, concurrent_cases::Concurrent, events::Booked};
use events_core::{DeliveryError, Metadata, State, after_commit, subscribe};
use events_sqlx::postgres::{OutboxBuilder, UnitOfWork};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool, Postgres};

/// A database of its own on the server of `POSTGRES_URL`, by default the one on this machine.
pub struct OnPostgres(String);

fn url(database: &str) -> String {
    let server = std::env::var("POSTGRES_URL").unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432".into());
    format!("{server}/{database}")
}

impl OnPostgres {
    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.0)
    }

    /// The way to it.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.url().parse().expect("POSTGRES_URL is a URL such as `postgres://user:password@host:port`")
    }
}

impl Drop for OnPostgres {
    fn drop(&mut self) {
        let drop = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0));
        // The test's own runtime is busy dropping this; a database that stays behind only costs room.
        let dropped = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { sqlx::query(drop).execute(&PgPool::connect(&url("postgres")).await.unwrap()).await.unwrap() });
        });
        let _ = dropped.join();
    }
}

impl Harness for OnPostgres {
    type Db = Postgres;
    type Book = book_on_postgres;
    type Take = take_on_postgres;
    const UNREADABLE: &'static str = "headers = 'no JSON'";

    async fn fresh() -> Self {
        let fresh = Self(format!("events_{}", uuid::Uuid::new_v4().simple()));
        let server = PgPool::connect(&url("postgres")).await.expect("PostgreSQL runs on 127.0.0.1:5432, or POSTGRES_URL says where");
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {}", fresh.0))).execute(&server).await.unwrap();
        let table = "CREATE TABLE business (n BIGINT PRIMARY KEY, step BIGINT NOT NULL DEFAULT 0)";
        sqlx::query(table).execute(&fresh.connect().await).await.unwrap();
        fresh
    }
    async fn connect(&self) -> PgPool {
        PgPool::connect(&self.url()).await.unwrap()
    }
    async fn numbers(conn: &mut Conn<Self>, sql: String) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await
    }
    async fn is_transaction_open(&self) -> bool {
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL \
                    AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        sqlx::query_scalar::<_, i64>(open).fetch_one(&self.connect().await).await.unwrap() > 0
    }
}

impl Concurrent for OnPostgres {
    fn other_schema(&self) -> String {
        "qmq_produce".into()
    }
    fn in_schema(builder: OutboxBuilder, name: &str) -> OutboxBuilder {
        builder.schema(name)
    }
    async fn is_waiting(&self) -> bool {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&self.connect().await).await.unwrap() > 0
    }
}

/// The handler with a unit of work of its own.
#[after_commit(manual, name = "book")]
pub async fn book_on_postgres(
    event: Booked,
    meta: Metadata,
    uow: &mut UnitOfWork,
    State(role): State<Role<Booked>>,
) -> Result<(), DeliveryError> {
    Scene::<OnPostgres>::book(&role, event, uow, meta.attempt).await
}

/// The subscriber with a unit of work.
#[subscribe(group = "suite", manual)]
pub async fn take_on_postgres(
    event: Booked,
    meta: Metadata,
    uow: &mut UnitOfWork,
    State(role): State<Role<Booked>>,
) -> Result<(), DeliveryError> {
    Scene::<OnPostgres>::book(&role, event, uow, meta.attempt).await
}
