//! SQLite, put to the test.

use crate::{Conn, Harness, Role, Scene, events::Booked};
use events_core::{DeliveryError, Metadata, State, after_commit, subscribe};
use events_sqlx::sqlite::{UnitOfWork, connect_options};
use sqlx::{AssertSqlSafe, Sqlite, SqlitePool, sqlite::SqliteSynchronous};
use std::time::Duration;

/// A database file in a folder of its own. Nothing here loses power, so nothing is synchronized.
pub struct OnSqlite(pub tempfile::TempDir);

impl Harness for OnSqlite {
    type Db = Sqlite;
    type Book = book;
    type Take = take;
    const UNREADABLE: &'static str = "headers = 'no JSON'";

    async fn fresh() -> Self {
        let fresh = Self(tempfile::tempdir().unwrap());
        let table = "CREATE TABLE business (n BIGINT PRIMARY KEY, step BIGINT NOT NULL DEFAULT 0)";
        sqlx::query(table).execute(&fresh.connect().await).await.unwrap();
        fresh
    }
    async fn connect(&self) -> SqlitePool {
        SqlitePool::connect_with(connect_options(self.0.path().join("a.db")).synchronous(SqliteSynchronous::Off)).await.unwrap()
    }
    async fn numbers(conn: &mut Conn<Self>, sql: String) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await
    }
    async fn is_transaction_open(&self) -> bool {
        let options = connect_options(self.0.path().join("a.db")).busy_timeout(Duration::ZERO);
        SqlitePool::connect_with(options).await.unwrap().begin_with("BEGIN IMMEDIATE").await.is_err()
    }
}

/// The handler with a unit of work of its own.
#[after_commit(manual)]
pub async fn book(event: Booked, meta: Metadata, uow: &mut UnitOfWork, State(role): State<Role<Booked>>) -> Result<(), DeliveryError> {
    Scene::<OnSqlite>::book(&role, event, uow, meta.attempt).await
}

/// The subscriber with a unit of work.
#[subscribe(group = "suite", manual)]
pub async fn take(event: Booked, meta: Metadata, uow: &mut UnitOfWork, State(role): State<Role<Booked>>) -> Result<(), DeliveryError> {
    Scene::<OnSqlite>::book(&role, event, uow, meta.attempt).await
}
