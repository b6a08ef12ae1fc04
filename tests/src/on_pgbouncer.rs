//! PostgreSQL behind a pooler in transaction mode, put to the test.

use crate::{Conn, Harness, OnPostgres, book_on_postgres, servers::Pgbouncer, take_on_postgres};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row};

/// A database of its own that processes reach through a pgbouncer of its own.
pub struct OnPgbouncer(OnPostgres, Pgbouncer);

impl OnPgbouncer {
    /// How many connections the pooler has to the database.
    pub const CONNECTIONS: u32 = 4;
}

impl Harness for OnPgbouncer {
    type Db = Postgres;
    type Book = book_on_postgres;
    type Take = take_on_postgres;
    const UNREADABLE: &'static str = OnPostgres::UNREADABLE;

    async fn fresh() -> Self {
        let database = OnPostgres::fresh().await;
        let pooler = Pgbouncer::before(&database.options(), Self::CONNECTIONS);
        Self(database, pooler)
    }
    async fn connect(&self) -> PgPool {
        PgPool::connect_with(self.1.options(self.0.name())).await.unwrap()
    }
    async fn numbers(conn: &mut Conn<Self>, sql: String) -> sqlx::Result<Vec<i64>> {
        // Nothing prepared: there is no transaction around it.
        sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(conn).await?.iter().map(|row| row.try_get(0)).collect()
    }
    async fn is_transaction_open(&self) -> bool {
        self.0.is_transaction_open().await
    }
}
