//! SQLite under measurement: a file in a temporary folder.

use crate::events::Order;
use crate::meter::Reading;
use crate::system::{Backlog, LeasedRow, Row, System, SystemName};
use events_sqlx::sqlite::connect_options;
use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions, SqliteSynchronous};
use sqlx::types::Uuid;
use sqlx::types::time::OffsetDateTime;
use sqlx::{Connection, QueryBuilder, Row as _, Sqlite, SqlitePool, Transaction};
use std::path::PathBuf;
use std::time::Duration;

const INSERT: &str = "INSERT INTO outbox \
    (id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at, visible_at, not_before, lease_token) ";
const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) + ";

const DELETE: &str = "DELETE FROM outbox WHERE rowid IN ( \
        SELECT o.rowid FROM json_each(?) AS lease JOIN outbox AS o ON o.id = unhex(substr(lease.value, 1, 32)) \
        WHERE o.lease_token = unhex(substr(lease.value, 33)))";

const LEASE: &str = "UPDATE outbox SET lease_token = ?, visible_at = CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) + 30000 \
    WHERE rowid IN (SELECT rowid FROM outbox WHERE target = ? AND visible_at <= CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) \
                    ORDER BY visible_at LIMIT ?) \
    RETURNING id, event_id, topic, version, key, payload, content_type, source, headers, occurred_at, attempt, abandoned, failures";

/// Ids are in the order of time, as UUIDv7 are.
const FILL: &str = "INSERT INTO outbox (id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, visible_at) \
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1) \
    SELECT unhex(printf('%012x7%03x8', ?5 + n / 16, n % 4096) || substr(hex(randomblob(8)), 2)), \
           unhex(printf('%012x7%03x9', ?5 + n / 16, n % 4096) || substr(hex(randomblob(8)), 2)), \
           ?2, ?3, 1, ?4, 'application/json', '/', '{}', (?5 + n / 16) * 1000, ?5 + n / 16 \
    FROM number";
const DAY_IN_MILLIS: i64 = 86_400_000;

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

impl System for Sqlite {
    const LABEL: SystemName = SystemName::Sqlite;
    const PARALLEL: bool = false;

    async fn create(name: &str) -> anyhow::Result<String> {
        std::fs::create_dir(folder(name))?;
        Ok(folder(name).join("bench.db").display().to_string())
    }

    async fn drop(name: &str) -> anyhow::Result<()> {
        Ok(std::fs::remove_dir_all(folder(name))?)
    }

    async fn connect(url: &str, connections: u32, relay: bool) -> sqlx::Result<SqlitePool> {
        // With FULL one would measure the disk; NORMAL shows what the code costs.
        let options = connect_options(url).synchronous(SqliteSynchronous::Normal);
        // As many as `events_sqlx::sqlite::connect` takes: more would only make each other's page caches stale.
        let connections = if relay { 1 } else { connections.min(8) };
        SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false).connect_with(options).await
    }

    async fn begin_writing(pool: &SqlitePool) -> sqlx::Result<Transaction<'static, Self>> {
        pool.begin_with("BEGIN IMMEDIATE").await
    }

    async fn create_orders(pool: &SqlitePool) -> sqlx::Result<()> {
        let orders = "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, amount_cents INTEGER NOT NULL, \
                      note TEXT NOT NULL)";
        sqlx::query(orders).execute(pool).await.map(drop)
    }

    async fn insert_order(conn: &mut SqliteConnection, order: &Order) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO orders (customer_id, amount_cents, note) VALUES (?, ?, ?)")
            .bind(order.customer_id)
            .bind(order.amount_cents)
            .bind(&order.note)
            .execute(conn)
            .await
            .map(drop)
    }

    async fn insert_by_hand(conn: &mut SqliteConnection, rows: &[Row<'_>]) -> sqlx::Result<()> {
        let mut insert = QueryBuilder::<Sqlite>::new(INSERT);
        insert.push_values(rows, |mut values, row| {
            values.push_bind(row.id).push_bind(row.event_id).push_bind(row.target).push_bind(row.topic).push("1");
            values.push_bind(row.key).push_bind(row.key_seq).push_bind(row.payload);
            values.push("'application/json', '/', '{}'");
            values.push_bind(i64::try_from(row.occurred_at.unix_timestamp_nanos() / 1000).unwrap_or(0));
            values.push(NOW).push_bind_unseparated(millis(row.visible_in));
            values.push(NOW).push_bind_unseparated(row.delay.map(millis));
            values.push_bind(row.token);
        });
        insert.build().execute(conn).await.map(drop)
    }

    async fn delete_by_hand(pool: &SqlitePool, ids: Vec<Uuid>, tokens: Vec<Uuid>) -> sqlx::Result<u64> {
        let leases: Vec<String> = ids.iter().zip(&tokens).map(|(id, token)| format!("{}{}", id.simple(), token.simple())).collect();
        let json = serde_json::to_string(&leases).map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(sqlx::query(DELETE).bind(json).execute(pool).await?.rows_affected())
    }

    async fn lease_by_hand(pool: &SqlitePool, target: &str, limit: i64, token: Uuid) -> sqlx::Result<Vec<LeasedRow>> {
        let rows = sqlx::query(LEASE).bind(token).bind(target).bind(limit).fetch_all(pool).await?;
        let read = rows.iter().map(|row| {
            let micros = i128::from(row.try_get::<i64, _>(9)?);
            Ok(LeasedRow {
                id: row.try_get(0)?,
                event_id: row.try_get(1)?,
                topic: row.try_get(2)?,
                version: row.try_get(3)?,
                key: row.try_get(4)?,
                payload: row.try_get(5)?,
                content_type: row.try_get(6)?,
                source: row.try_get(7)?,
                headers: row.try_get(8)?,
                occurred_at: OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH),
                attempt: row.try_get(10)?,
                abandoned: row.try_get(11)?,
                failures: row.try_get(12)?,
            })
        });
        read.collect()
    }

    async fn clear(pool: &SqlitePool) -> sqlx::Result<()> {
        sqlx::raw_sql(
            "DELETE FROM outbox; DELETE FROM outbox_key; DELETE FROM outbox_dead; DELETE FROM orders; PRAGMA wal_checkpoint(TRUNCATE)",
        )
        .execute(pool)
        .await
        .map(drop)
    }

    async fn fill(pool: &SqlitePool, backlog: &Backlog<'_>) -> sqlx::Result<()> {
        let now = OffsetDateTime::now_utc().unix_timestamp() * 1000;
        sqlx::query(FILL)
            .bind(i64::try_from(backlog.rows).unwrap_or(i64::MAX))
            .bind(backlog.target)
            .bind(backlog.topic)
            .bind(backlog.payload)
            .bind(if backlog.due { now - DAY_IN_MILLIS } else { now + DAY_IN_MILLIS })
            .execute(pool)
            .await
            .map(drop)
    }

    async fn settle_down(pool: &SqlitePool) -> sqlx::Result<()> {
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(pool).await.map(drop)
    }

    async fn hold_snapshot(conn: &mut SqliteConnection) -> sqlx::Result<()> {
        sqlx::raw_sql("BEGIN; SELECT count(*) FROM orders").execute(conn).await.map(drop)
    }

    async fn release_snapshot(conn: &mut SqliteConnection) -> sqlx::Result<()> {
        sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await?;
        conn.ping().await
    }

    async fn read(_: &SqlitePool) -> sqlx::Result<Reading> {
        // It runs in this process.
        Ok(Reading::default())
    }

    async fn dead_rows(_: &SqlitePool) -> sqlx::Result<Option<u64>> {
        Ok(None)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
