//! The servers that fault tests start for themselves: they start, come back after a crash, and leave nothing behind.

#![allow(clippy::unwrap_used)]

use events_tests::servers::{MariadbServer, PostgresServer};
use sqlx::{ConnectOptions, Connection, mysql::MySqlConnectOptions, postgres::PgConnectOptions};

#[tokio::test]
async fn a_private_postgresql_answers_again_after_a_crash_with_what_was_committed() {
    let server = PostgresServer::start();
    let options: PgConnectOptions = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port()).parse().unwrap();
    let mut before = options.connect().await.unwrap();
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut before).await.unwrap();
    assert_eq!(fsync, "on", "a server that is killed must be durable");
    sqlx::raw_sql("CREATE TABLE kept (n BIGINT); INSERT INTO kept VALUES (7)").execute(&mut before).await.unwrap();
    server.restart_immediately();
    before.ping().await.unwrap_err();
    let kept: i64 = sqlx::query_scalar("SELECT n FROM kept").fetch_one(&mut options.connect().await.unwrap()).await.unwrap();
    assert_eq!(kept, 7);
    assert!(server.log().contains("database system was not properly shut down"), "{}", server.log());
}

#[tokio::test]
async fn a_private_mariadb_answers_again_after_a_crash_with_what_was_committed() {
    let server = MariadbServer::start();
    let options: MySqlConnectOptions = format!("mysql://root@127.0.0.1:{}/mysql", server.port()).parse().unwrap();
    let mut before = options.connect().await.unwrap();
    let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&mut before).await.unwrap();
    assert_eq!(one, 1);
    let durable: i64 = sqlx::query_scalar("SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED)").fetch_one(&mut before).await.unwrap();
    assert_eq!(durable, 1, "a server that is killed must be durable");
    sqlx::raw_sql("CREATE DATABASE shop; CREATE TABLE shop.kept (n BIGINT); INSERT INTO shop.kept VALUES (7)")
        .execute(&mut before)
        .await
        .unwrap();
    server.restart_immediately();
    before.ping().await.unwrap_err();
    let kept: i64 = sqlx::query_scalar("SELECT n FROM shop.kept").fetch_one(&mut options.connect().await.unwrap()).await.unwrap();
    assert_eq!(kept, 7);
}
