//! The three database systems. Everything else is written once, for any of them.

use crate::{bank1, bank2};
use anyhow::Context;
use events_core::HandlerFn;
use events_sqlx::{Backend, sqlite};
use sqlx::{
    AssertSqlSafe, MySql, Pool, Postgres, Row, Sqlite,
    mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions},
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    sqlite::{SqlitePoolOptions, SqliteSynchronous},
};
use std::{future::Future, path::PathBuf};

/// Connections of a bank: as many as a subscription handles events at once, and some that make transfers.
const CONNECTIONS: u32 = 24;

/// A parameter of a statement.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Number(i64),
    Text(&'a str),
}

/// A row of numbers.
pub(crate) type Numbers = Vec<i64>;

/// A database system that can hold a bank. Statements are written with `$1`, `$2` .., each once and in this order.
pub(crate) trait Database: Backend {
    /// Where its databases are.
    type Server: Send + Sync;
    /// The handlers that take this system's unit of work.
    type Complete: HandlerFn;
    type GiveBack: HandlerFn;
    type Credit: HandlerFn;

    /// A pool on the database `name`, which is made if it is missing.
    fn open(server: &Self::Server, name: &str) -> impl Future<Output = anyhow::Result<Pool<Self>>> + Send;
    /// Removes the database `name`.
    fn remove(server: &Self::Server, name: &str) -> impl Future<Output = anyhow::Result<()>> + Send;
    /// Runs statements without parameters.
    fn create(pool: &Pool<Self>, sql: &'static str) -> impl Future<Output = sqlx::Result<()>> + Send;
    /// Runs one statement; returns how many rows it found to change.
    fn change(conn: &mut Self::Connection, sql: &'static str, values: &[Value<'_>]) -> impl Future<Output = sqlx::Result<u64>> + Send;
    /// The rows of a query.
    fn numbers(
        conn: &mut Self::Connection,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> impl Future<Output = sqlx::Result<Vec<Numbers>>> + Send;
}

/// The methods that look the same on every system, but cannot be written once: sqlx promises nothing about a system in general.
macro_rules! plain_answers {
    ($handlers:ident, $in_dialect:path) => {
        type Complete = bank1::$handlers::complete;
        type GiveBack = bank1::$handlers::give_back;
        type Credit = bank2::$handlers::credit;

        async fn create(pool: &Pool<Self>, sql: &'static str) -> sqlx::Result<()> {
            sqlx::raw_sql(sql).execute(pool).await.map(drop)
        }

        async fn change(conn: &mut Self::Connection, sql: &'static str, values: &[Value<'_>]) -> sqlx::Result<u64> {
            let mut query = sqlx::query($in_dialect(sql));
            for value in values {
                query = match *value {
                    Value::Number(number) => query.bind(number),
                    Value::Text(text) => query.bind(text.to_owned()),
                };
            }
            Ok(query.execute(conn).await?.rows_affected())
        }

        async fn numbers(conn: &mut Self::Connection, sql: &'static str, values: &[Value<'_>]) -> sqlx::Result<Vec<Numbers>> {
            let mut query = sqlx::query($in_dialect(sql));
            for value in values {
                query = match *value {
                    Value::Number(number) => query.bind(number),
                    Value::Text(text) => query.bind(text.to_owned()),
                };
            }
            let rows = query.fetch_all(conn).await?;
            rows.iter().map(|row| (0..row.len()).map(|column| row.try_get(column)).collect()).collect()
        }
    };
}

impl Database for Sqlite {
    /// A folder.
    type Server = PathBuf;

    async fn open(folder: &PathBuf, name: &str) -> anyhow::Result<Pool<Self>> {
        // It survives every crash of the process. A loss of power may take the latest commits of one bank and leave those of the other one,
        // so a real bank keeps `FULL`; ten thousand transfers then take more than twice as long.
        let options = sqlite::connect_options(folder.join(format!("{name}.db"))).synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        pool.connect_with(options).await.with_context(|| format!("opening {name}.db in `{}`", folder.display()))
    }

    /// The folder stays, so that one can look into it.
    async fn remove(_: &PathBuf, _: &str) -> anyhow::Result<()> {
        Ok(())
    }

    plain_answers!(sqlite, std::convert::identity);
}

impl Database for Postgres {
    type Server = PgConnectOptions;

    async fn open(server: &PgConnectOptions, name: &str) -> anyhow::Result<PgPool> {
        let own = server.clone().database(name);
        let any = PgPool::connect_with(server.clone().database("postgres")).await.context("connecting to PostgreSQL")?;
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1").bind(name).fetch_one(&any).await?;
        if known == 0 {
            sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .execute(&any)
                .await
                .with_context(|| format!("making the database `{name}`"))?;
        }
        any.close().await;
        PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(own)
            .await
            .with_context(|| format!("connecting to the database `{name}`"))
    }

    async fn remove(server: &PgConnectOptions, name: &str) -> anyhow::Result<()> {
        let any = PgPool::connect_with(server.clone().database("postgres")).await?;
        sqlx::query(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).execute(&any).await?;
        any.close().await;
        Ok(())
    }

    plain_answers!(postgres, std::convert::identity);
}

impl Database for MySql {
    type Server = MySqlConnectOptions;

    async fn open(server: &MySqlConnectOptions, name: &str) -> anyhow::Result<MySqlPool> {
        let any = MySqlPool::connect_with(server.clone().database("mysql")).await.context("connecting to MySQL")?;
        let make = AssertSqlSafe(format!("CREATE DATABASE IF NOT EXISTS {name}"));
        sqlx::query(make).execute(&any).await.with_context(|| format!("making the database `{name}`"))?;
        any.close().await;
        let own = server.clone().database(name);
        MySqlPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(own)
            .await
            .with_context(|| format!("connecting to the database `{name}`"))
    }

    async fn remove(server: &MySqlConnectOptions, name: &str) -> anyhow::Result<()> {
        let any = MySqlPool::connect_with(server.clone().database("mysql")).await?;
        sqlx::query(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).execute(&any).await?;
        any.close().await;
        Ok(())
    }

    plain_answers!(mysql, question_marks);
}

/// `$1`, `$2` .. as MySQL writes them.
fn question_marks(sql: &'static str) -> AssertSqlSafe<String> {
    let mut written = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('$') {
        written.push_str(before);
        written.push('?');
        rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
    }
    written.push_str(rest);
    AssertSqlSafe(written)
}

#[cfg(test)]
mod tests {
    #[test]
    fn parameters_become_question_marks() {
        assert_eq!(super::question_marks("UPDATE a SET b = $1 WHERE c = $12").0, "UPDATE a SET b = ? WHERE c = ?");
        assert_eq!(super::question_marks("SELECT 1").0, "SELECT 1");
    }
}
