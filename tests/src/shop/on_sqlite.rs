//! A shop in SQLite.

use super::{Clerk, Moved, Row, Site};
use events_core::{DeliveryError, State, after_commit};
use events_sqlx::sqlite::{UnitOfWork, connect_options};
use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqlitePool};

/// In a file of its own, as durable as by default.
pub struct SqliteSite(tempfile::TempDir);

impl Site for SqliteSite {
    type Db = Sqlite;
    type Enter = enter_on_sqlite;
    const NAME: &'static str = "sqlite";
    const TABLES: &'static str = "
        CREATE TABLE counter (k BIGINT PRIMARY KEY, step BIGINT NOT NULL);
        CREATE TABLE sale (id BIGINT PRIMARY KEY);
        CREATE TABLE fact (n BIGINT PRIMARY KEY, k BIGINT, step BIGINT, keeper BIGINT NOT NULL, at_us BIGINT NOT NULL);
        CREATE TABLE told (place INTEGER PRIMARY KEY AUTOINCREMENT, call_id BIGINT NOT NULL UNIQUE, n BIGINT NOT NULL, target BIGINT NOT NULL,
            keeper BIGINT NOT NULL, attempt BIGINT NOT NULL, at_us BIGINT NOT NULL);
        CREATE TABLE effect (place INTEGER PRIMARY KEY AUTOINCREMENT, n BIGINT NOT NULL UNIQUE, keeper BIGINT NOT NULL, at_us BIGINT NOT NULL)";

    async fn open() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        sqlx::raw_sql(Self::TABLES).execute(&Self::connect(&site.url(), 1, Self::WITNESS)).await.unwrap();
        site
    }
    fn url(&self) -> String {
        self.0.path().join("shop.db").display().to_string()
    }
    fn connect(url: &str, connections: u32, _: &'static str) -> SqlitePool {
        SqlitePoolOptions::new().max_connections(connections).connect_lazy_with(connect_options(url))
    }
    async fn rows(conn: &mut SqliteConnection, sql: String) -> sqlx::Result<Vec<Row>> {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(conn).await?;
        Ok(rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect())
    }
}

/// The handler with a unit of work of its own.
#[after_commit(manual, name = "enter")]
pub async fn enter_on_sqlite(event: Moved, uow: &mut UnitOfWork, State(clerk): State<Clerk>) -> Result<(), DeliveryError> {
    clerk.enter::<SqliteSite>(event, uow).await
}
