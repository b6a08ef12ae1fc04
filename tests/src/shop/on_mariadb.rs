//! A shop in MariaDB.

use super::{Clerk, Moved, Row, ServerSite, Site};
use crate::{proxy::Protocol, servers::MariadbServer};
use events_core::{DeliveryError, State, after_commit};
use events_sqlx::mysql::UnitOfWork;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, MySql, MySqlPool, Row as _};

/// On a server of its own.
pub struct MariadbSite(MariadbServer);

impl Site for MariadbSite {
    type Db = MySql;
    type Enter = enter_on_mariadb;
    const NAME: &'static str = "mariadb";
    const TABLES: &'static str = "
        CREATE TABLE counter (k BIGINT PRIMARY KEY, step BIGINT NOT NULL);
        CREATE TABLE sale (id BIGINT PRIMARY KEY);
        CREATE TABLE fact (n BIGINT PRIMARY KEY, k BIGINT, step BIGINT, keeper BIGINT NOT NULL, at_us BIGINT NOT NULL);
        CREATE TABLE told (place BIGINT AUTO_INCREMENT PRIMARY KEY, call_id BIGINT NOT NULL UNIQUE, n BIGINT NOT NULL, target BIGINT NOT NULL,
            keeper BIGINT NOT NULL, attempt BIGINT NOT NULL, at_us BIGINT NOT NULL);
        CREATE TABLE effect (place BIGINT AUTO_INCREMENT PRIMARY KEY, n BIGINT NOT NULL UNIQUE, keeper BIGINT NOT NULL, at_us BIGINT NOT NULL)";

    async fn open() -> Self {
        let site = Self(MariadbServer::start());
        // Connections are told apart by their users.
        let setup = "CREATE DATABASE shop; CREATE USER shop@'127.0.0.1', witness@'127.0.0.1'; GRANT ALL ON *.* TO shop@'127.0.0.1', witness@'127.0.0.1'";
        let root: MySqlConnectOptions = format!("mysql://root@127.0.0.1:{}/mysql", site.port()).parse().unwrap();
        sqlx::raw_sql(setup).execute(&MySqlPool::connect_with(root).await.unwrap()).await.unwrap();
        sqlx::raw_sql(Self::TABLES).execute(&Self::connect(&site.url(), 1, Self::WITNESS)).await.unwrap();
        site
    }
    fn url(&self) -> String {
        self.url_through(self.port())
    }
    fn connect(url: &str, connections: u32, purpose: &'static str) -> MySqlPool {
        let options: MySqlConnectOptions = url.parse().unwrap();
        MySqlPoolOptions::new().max_connections(connections).connect_lazy_with(options.username(purpose))
    }
    async fn rows(conn: &mut MySqlConnection, sql: String) -> sqlx::Result<Vec<Row>> {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(conn).await?;
        Ok(rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect())
    }
}

impl ServerSite for MariadbSite {
    const PROTOCOL: Protocol = Protocol::Mysql;

    fn port(&self) -> u16 {
        self.0.port()
    }
    fn url_through(&self, port: u16) -> String {
        format!("mysql://root@127.0.0.1:{port}/shop?ssl-mode=DISABLED")
    }
    fn restart(&self) {
        self.0.restart_immediately();
    }
    async fn cut(conn: &mut MySqlConnection) -> usize {
        let sql = format!("SELECT CAST(ID AS SIGNED) FROM information_schema.PROCESSLIST WHERE USER = '{}' AND RAND() < 0.5", Self::SHOP);
        let ids = Self::rows(conn, sql).await.unwrap();
        for id in ids.iter().filter_map(|row| row[0]) {
            // It may have gone by itself.
            let _ = sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}"))).execute(&mut *conn).await;
        }
        ids.len()
    }
    async fn deadlocks(conn: &mut MySqlConnection) -> i64 {
        let sql = "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'";
        Self::rows(conn, sql.into()).await.unwrap()[0][0].unwrap()
    }
    fn log(&self) -> String {
        self.0.log()
    }
}

/// The handler with a unit of work of its own.
#[after_commit(manual, name = "enter")]
pub async fn enter_on_mariadb(event: Moved, uow: &mut UnitOfWork, State(clerk): State<Clerk>) -> Result<(), DeliveryError> {
    clerk.enter::<MariadbSite>(event, uow).await
}
