//! MySQL or MariaDB, put to the test.

use crate::{Conn, Harness, Role, Scene, concurrent_cases::Concurrent, events::Booked};
use events_core::{DeliveryError, Metadata, State, after_commit, subscribe};
use events_sqlx::mysql::{OutboxBuilder, UnitOfWork};
use sqlx::{AssertSqlSafe, MySql, MySqlPool};

/// A database of its own on the server of `MYSQL_URL`, by default the one on this machine.
pub struct OnMySql(String);

fn url(database: &str) -> String {
    let server = std::env::var("MYSQL_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:3306".into());
    format!("{server}/{database}")
}

impl OnMySql {
    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.0)
    }
}

impl Drop for OnMySql {
    fn drop(&mut self) {
        let drop = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {0}; DROP DATABASE IF EXISTS {0}_outbox", self.0));
        // The test's own runtime is busy dropping this; a database that stays behind only costs room.
        let dropped = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { sqlx::raw_sql(drop).execute(&MySqlPool::connect(&url("")).await.unwrap()).await.unwrap() });
        });
        let _ = dropped.join();
    }
}

impl Harness for OnMySql {
    type Db = MySql;
    type Book = book_on_mysql;
    type Take = take_on_mysql;
    const UNREADABLE: &'static str = "headers = 'no JSON'";

    async fn fresh() -> Self {
        let fresh = Self(format!("events_{}", uuid::Uuid::new_v4().simple()));
        let server = MySqlPool::connect(&url("")).await.expect("MySQL or MariaDB runs on 127.0.0.1:3306, or MYSQL_URL says where");
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {}", fresh.0))).execute(&server).await.unwrap();
        let table = "CREATE TABLE business (n BIGINT PRIMARY KEY, step BIGINT NOT NULL DEFAULT 0)";
        sqlx::query(table).execute(&fresh.connect().await).await.unwrap();
        fresh
    }
    async fn connect(&self) -> MySqlPool {
        MySqlPool::connect(&self.url()).await.unwrap()
    }
    async fn numbers(conn: &mut Conn<Self>, sql: String) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await
    }
    async fn is_transaction_open(&self) -> bool {
        let pool = self.connect().await;
        // The table `innodb_trx` is a cache that is not renewed while others look at it, so the engine itself is asked.
        let (_, _, status): (String, String, String) = sqlx::query_as("SHOW ENGINE INNODB STATUS").fetch_one(&pool).await.unwrap();
        let threads: Vec<i64> = status
            .split("---TRANSACTION ")
            .filter(|transaction| transaction.lines().next().is_some_and(|line| line.contains(", ACTIVE")))
            .filter_map(|transaction| transaction.split_once(" thread id ")?.1.split(',').next()?.parse().ok())
            .collect();
        let ours = "SELECT id FROM information_schema.processlist WHERE db = DATABASE()";
        let ours: Vec<i64> = sqlx::query_scalar(ours).fetch_all(&pool).await.unwrap();
        threads.iter().any(|thread| ours.contains(thread))
    }
}

impl Concurrent for OnMySql {
    fn other_schema(&self) -> String {
        format!("{}_outbox", self.0)
    }
    fn in_schema(builder: OutboxBuilder, name: &str) -> OutboxBuilder {
        builder.schema(name)
    }
    async fn is_waiting(&self) -> bool {
        let waiting = "SELECT count(*) FROM information_schema.processlist \
                       WHERE db = DATABASE() AND command IN ('Query', 'Execute') AND time_ms > 200 AND id <> connection_id()";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&self.connect().await).await.unwrap() > 0
    }
}

/// The handler with a unit of work of its own.
#[after_commit(manual, name = "book")]
pub async fn book_on_mysql(
    event: Booked,
    meta: Metadata,
    uow: &mut UnitOfWork,
    State(role): State<Role<Booked>>,
) -> Result<(), DeliveryError> {
    Scene::<OnMySql>::book(&role, event, uow, meta.attempt).await
}

/// The subscriber with a unit of work.
#[subscribe(group = "suite", manual)]
pub async fn take_on_mysql(
    event: Booked,
    meta: Metadata,
    uow: &mut UnitOfWork,
    State(role): State<Role<Booked>>,
) -> Result<(), DeliveryError> {
    Scene::<OnMySql>::book(&role, event, uow, meta.attempt).await
}
