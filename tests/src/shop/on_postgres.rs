//! A shop in PostgreSQL.

use super::{Clerk, Moved, Row, ServerSite, Site};
use crate::{proxy::Protocol, servers::PostgresServer};
use events_core::{DeliveryError, State, after_commit};
use events_sqlx::postgres::UnitOfWork;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _};

/// On a server of its own.
pub struct PostgresSite(PostgresServer);

impl Site for PostgresSite {
    type Db = Postgres;
    type Enter = enter_on_postgres;
    const NAME: &'static str = "postgres";
    const TABLES: &'static str = "
        CREATE TABLE counter (k BIGINT PRIMARY KEY, step BIGINT NOT NULL);
        CREATE TABLE sale (id BIGINT PRIMARY KEY);
        CREATE TABLE fact (n BIGINT PRIMARY KEY, k BIGINT, step BIGINT, keeper BIGINT NOT NULL, at_us BIGINT NOT NULL);
        CREATE TABLE told (place BIGSERIAL PRIMARY KEY, call_id BIGINT NOT NULL UNIQUE, n BIGINT NOT NULL, target BIGINT NOT NULL,
            keeper BIGINT NOT NULL, attempt BIGINT NOT NULL, at_us BIGINT NOT NULL);
        CREATE TABLE effect (place BIGSERIAL PRIMARY KEY, n BIGINT NOT NULL UNIQUE, keeper BIGINT NOT NULL, at_us BIGINT NOT NULL)";

    async fn open() -> Self {
        let site = Self(PostgresServer::start());
        sqlx::raw_sql(Self::TABLES).execute(&Self::connect(&site.url(), 1, Self::WITNESS)).await.unwrap();
        site
    }
    fn url(&self) -> String {
        self.url_through(self.port())
    }
    fn connect(url: &str, connections: u32, purpose: &'static str) -> PgPool {
        let options: PgConnectOptions = url.parse().unwrap();
        PgPoolOptions::new().max_connections(connections).connect_lazy_with(options.application_name(purpose))
    }
    async fn rows(conn: &mut PgConnection, sql: String) -> sqlx::Result<Vec<Row>> {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(conn).await?;
        Ok(rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect())
    }
}

impl ServerSite for PostgresSite {
    const PROTOCOL: Protocol = Protocol::Postgres;

    fn port(&self) -> u16 {
        self.0.port()
    }
    fn url_through(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable")
    }
    fn restart(&self) {
        self.0.restart_immediately();
    }
    async fn cut(conn: &mut PgConnection) -> usize {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND random() < 0.5";
        sqlx::query(cut).bind(Self::SHOP).fetch_all(conn).await.unwrap().len()
    }
    async fn deadlocks(conn: &mut PgConnection) -> i64 {
        sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetch_one(conn).await.unwrap()
    }
    fn log(&self) -> String {
        self.0.log()
    }
}

/// The handler with a unit of work of its own.
#[after_commit(manual, name = "enter")]
pub async fn enter_on_postgres(event: Moved, uow: &mut UnitOfWork, State(clerk): State<Clerk>) -> Result<(), DeliveryError> {
    clerk.enter::<PostgresSite>(event, uow).await
}
