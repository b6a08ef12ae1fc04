//! MySQL or MariaDB under measurement.

use crate::events::Order;
use crate::meter::{Reading, server_cpu};
use crate::system::{Backlog, LeasedRow, Row, System, SystemName};
use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};
use sqlx::types::Uuid;
use sqlx::types::time::{OffsetDateTime, PrimitiveDateTime};
use sqlx::{AssertSqlSafe, MySql, MySqlPool, QueryBuilder, Row as _, Transaction};
use std::time::Duration;

const INSERT: &str = "INSERT INTO outbox \
    (id, event_id, target, topic, version, `key`, key_seq, payload, content_type, source, headers, occurred_at, visible_at, not_before, lease_token) ";

const DELETE: &str = "DELETE o FROM JSON_TABLE(?, '$[*]' COLUMNS ( \
        id CHAR(32) CHARACTER SET ascii PATH '$[0]', token CHAR(32) CHARACTER SET ascii PATH '$[1]' \
    )) AS lease \
    STRAIGHT_JOIN outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(lease.id) AND o.lease_token = UNHEX(lease.token)";

const PICK: &str = "SELECT id, event_id, topic, version, CONVERT(`key` USING utf8mb4), payload, content_type, source, headers, occurred_at, \
        attempt, abandoned, failures \
    FROM outbox FORCE INDEX (outbox_due) WHERE target = ? AND visible_at <= UTC_TIMESTAMP(6) ORDER BY visible_at LIMIT ? FOR UPDATE SKIP LOCKED";

const TAKE: &str = "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) CHARACTER SET ascii PATH '$')) AS picked \
    STRAIGHT_JOIN outbox AS o FORCE INDEX (PRIMARY) ON o.id = UNHEX(picked.id) \
    SET o.lease_token = ?, o.visible_at = UTC_TIMESTAMP(6) + INTERVAL 30 SECOND";

/// Ids are in the order of time, as UUIDv7 are.
const FILL: &str = "INSERT INTO outbox \
    (id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, visible_at) \
    SELECT UNHEX(CONCAT(stamp, '8', LEFT(MD5(n), 15))), UNHEX(CONCAT(stamp, '9', LEFT(MD5(n), 15))), \
           ?, ?, 1, ?, 'application/json', '/', '{}', at, at \
    FROM (SELECT n, UTC_TIMESTAMP(6) + INTERVAL ? DAY + INTERVAL n * 62 MICROSECOND AS at, \
                 CONCAT(LPAD(HEX(? + n DIV 16), 12, '0'), '7', LPAD(HEX(n % 4096), 3, '0')) AS stamp \
          FROM bench_numbers WHERE n > ? AND n <= ?) AS t ORDER BY n";
/// At most so many rows in one transaction.
const FILL_CHUNK: u64 = 100_000;

fn url(database: &str) -> String {
    let server = std::env::var("MYSQL_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:3306".into());
    format!("{server}/{database}")
}

async fn on_server(sql: String) -> anyhow::Result<()> {
    let server = MySqlPoolOptions::new().max_connections(1).connect(&url("")).await?;
    sqlx::query(AssertSqlSafe(sql)).execute(&server).await?;
    server.close().await;
    Ok(())
}

impl System for MySql {
    const LABEL: SystemName = SystemName::Mysql;
    const PARALLEL: bool = true;

    async fn create(name: &str) -> anyhow::Result<String> {
        on_server(format!("CREATE DATABASE {name}")).await?;
        Ok(url(name))
    }

    async fn drop(name: &str) -> anyhow::Result<()> {
        on_server(format!("DROP DATABASE IF EXISTS {name}")).await
    }

    async fn connect(url: &str, connections: u32, relay: bool) -> sqlx::Result<MySqlPool> {
        let options = MySqlPoolOptions::new().max_connections(connections).test_before_acquire(false);
        let options = options.after_connect(move |conn, _| {
            Box::pin(async move {
                if relay {
                    sqlx::raw_sql("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").execute(conn).await?;
                }
                Ok(())
            })
        });
        options.connect(url).await
    }

    async fn begin_writing(pool: &MySqlPool) -> sqlx::Result<Transaction<'static, Self>> {
        pool.begin().await
    }

    async fn create_orders(pool: &MySqlPool) -> sqlx::Result<()> {
        let orders = "CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer_id BIGINT NOT NULL, amount_cents BIGINT NOT NULL, \
                      note TEXT NOT NULL) ENGINE = InnoDB";
        sqlx::query(orders).execute(pool).await?;
        sqlx::query("CREATE TABLE bench_numbers (n BIGINT PRIMARY KEY) ENGINE = InnoDB").execute(pool).await.map(drop)
    }

    async fn insert_order(conn: &mut MySqlConnection, order: &Order) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO orders (customer_id, amount_cents, note) VALUES (?, ?, ?)")
            .bind(order.customer_id)
            .bind(order.amount_cents)
            .bind(&order.note)
            .execute(conn)
            .await
            .map(drop)
    }

    async fn insert_by_hand(conn: &mut MySqlConnection, rows: &[Row<'_>]) -> sqlx::Result<()> {
        let mut insert = QueryBuilder::<MySql>::new(INSERT);
        insert.push_values(rows, |mut values, row| {
            values.push_bind(row.id).push_bind(row.event_id).push_bind(row.target).push_bind(row.topic).push("1");
            values.push_bind(row.key).push_bind(row.key_seq).push_bind(row.payload);
            values.push("'application/json', '/', '{}'");
            values.push_bind(PrimitiveDateTime::new(row.occurred_at.date(), row.occurred_at.time()));
            values.push("UTC_TIMESTAMP(6) + INTERVAL ").push_bind_unseparated(micros(row.visible_in)).push_unseparated(" MICROSECOND");
            values.push("UTC_TIMESTAMP(6) + INTERVAL ").push_bind_unseparated(row.delay.map(micros)).push_unseparated(" MICROSECOND");
            values.push_bind(row.token);
        });
        insert.build().execute(conn).await.map(drop)
    }

    async fn delete_by_hand(pool: &MySqlPool, ids: Vec<Uuid>, tokens: Vec<Uuid>) -> sqlx::Result<u64> {
        let pairs: Vec<[String; 2]> = ids.iter().zip(&tokens).map(|(id, token)| [id, token].map(|id| id.simple().to_string())).collect();
        let json = serde_json::to_string(&pairs).map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(sqlx::query(DELETE).bind(json).execute(pool).await?.rows_affected())
    }

    async fn lease_by_hand(pool: &MySqlPool, target: &str, limit: i64, token: Uuid) -> sqlx::Result<Vec<LeasedRow>> {
        let mut tx = pool.begin().await?;
        let rows = sqlx::query(PICK).bind(target).bind(limit).fetch_all(&mut *tx).await?;
        let mut leased = Vec::with_capacity(rows.len());
        for row in &rows {
            leased.push(LeasedRow {
                id: row.try_get(0)?,
                event_id: row.try_get(1)?,
                topic: row.try_get(2)?,
                version: row.try_get(3)?,
                key: row.try_get(4)?,
                payload: row.try_get(5)?,
                content_type: row.try_get(6)?,
                source: row.try_get(7)?,
                headers: row.try_get(8)?,
                occurred_at: row.try_get::<PrimitiveDateTime, _>(9)?.assume_utc(),
                attempt: row.try_get(10)?,
                abandoned: row.try_get(11)?,
                failures: row.try_get(12)?,
            });
        }
        if leased.is_empty() {
            tx.rollback().await?;
            return Ok(leased);
        }
        let ids: Vec<String> = leased.iter().map(|row| row.id.simple().to_string()).collect();
        let json = serde_json::to_string(&ids).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query(TAKE).bind(json).bind(token).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(leased)
    }

    async fn clear(pool: &MySqlPool) -> sqlx::Result<()> {
        for table in ["outbox", "outbox_key", "outbox_dead", "orders"] {
            sqlx::query(AssertSqlSafe(format!("TRUNCATE TABLE {table}"))).execute(pool).await?;
        }
        Ok(())
    }

    async fn fill(pool: &MySqlPool, backlog: &Backlog<'_>) -> sqlx::Result<()> {
        let mut there: u64 = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM bench_numbers").fetch_one(pool).await?.unsigned_abs();
        if there == 0 {
            sqlx::query("INSERT INTO bench_numbers VALUES (1)").execute(pool).await?;
            there = 1;
        }
        while there < backlog.rows {
            let double = "INSERT INTO bench_numbers SELECT n + ? FROM bench_numbers";
            sqlx::query(double).bind(there).execute(pool).await?;
            there *= 2;
        }
        let now = OffsetDateTime::now_utc().unix_timestamp() * 1000;
        for first in (0..backlog.rows).step_by(usize::try_from(FILL_CHUNK).unwrap_or(usize::MAX)) {
            sqlx::query(FILL)
                .bind(backlog.target)
                .bind(backlog.topic)
                .bind(backlog.payload)
                .bind(if backlog.due { -1 } else { 1 })
                .bind(now)
                .bind(first)
                .bind((first + FILL_CHUNK).min(backlog.rows))
                .execute(pool)
                .await?;
        }
        Ok(())
    }

    async fn settle_down(pool: &MySqlPool) -> sqlx::Result<()> {
        sqlx::query("ANALYZE TABLE outbox").fetch_all(pool).await.map(drop)
    }

    async fn hold_snapshot(conn: &mut MySqlConnection) -> sqlx::Result<()> {
        sqlx::raw_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT").execute(&mut *conn).await?;
        sqlx::query("SELECT count(*) FROM orders").fetch_all(conn).await.map(drop)
    }

    async fn release_snapshot(conn: &mut MySqlConnection) -> sqlx::Result<()> {
        sqlx::raw_sql("ROLLBACK").execute(conn).await.map(drop)
    }

    async fn read(pool: &MySqlPool) -> sqlx::Result<Reading> {
        let file: String = sqlx::query_scalar("SELECT @@pid_file").fetch_one(pool).await?;
        let pid = std::fs::read_to_string(file).ok().and_then(|pid| pid.trim().parse().ok());
        Ok(Reading { cpu: pid.and_then(server_cpu), ..Reading::default() })
    }

    async fn dead_rows(_: &MySqlPool) -> sqlx::Result<Option<u64>> {
        Ok(None)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
