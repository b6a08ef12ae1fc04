//! PostgreSQL under measurement.

use crate::events::Order;
use crate::meter::{Reading, server_cpu_of_children};
use crate::system::{Backlog, LeasedRow, Row, System, SystemName};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::types::Uuid;
use sqlx::types::time::OffsetDateTime;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _, Transaction};
use std::time::Duration;

const INSERT_ONE: &str = "INSERT INTO outbox \
    (id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at, visible_at, not_before, lease_token) \
    VALUES ($1, $2, $3, $4, 1, $5, $6, $7, 'application/json', '/', '{}', $8, \
            clock_timestamp() + $9 * interval '1 millisecond', clock_timestamp() + $10 * interval '1 millisecond', $11)";

const INSERT_MANY: &str = "INSERT INTO outbox \
    (id, event_id, target, topic, version, key, key_seq, payload, content_type, source, headers, occurred_at, visible_at, not_before, lease_token) \
    SELECT r.id, r.event_id, r.target, r.topic, 1, r.key, r.key_seq, r.payload, 'application/json', '/', '{}', $8, \
           clock_timestamp() + $9 * interval '1 millisecond', clock_timestamp() + $10 * interval '1 millisecond', $11 \
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[]) \
        AS r (id, event_id, target, topic, key, key_seq, payload)";

const DELETE: &str = "DELETE FROM outbox AS o USING unnest($1::uuid[], $2::uuid[]) AS lease (id, token) \
    WHERE o.id = lease.id AND o.lease_token = lease.token";

const LEASE: &str = "WITH due AS MATERIALIZED ( \
        SELECT id FROM outbox WHERE target = $1 AND visible_at <= statement_timestamp() ORDER BY visible_at LIMIT $2 FOR UPDATE SKIP LOCKED \
    ) \
    UPDATE outbox AS o SET lease_token = $3, visible_at = clock_timestamp() + interval '30 seconds' FROM due WHERE o.id = due.id \
    RETURNING o.id, event_id, topic, version, key, payload, content_type, source, headers, occurred_at, attempt, abandoned, failures";

/// Ids are in the order of time, as UUIDv7 are.
const FILL: &str = "INSERT INTO outbox \
    (id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, visible_at) \
    SELECT (stamp || '8' || substr(md5(n::text), 1, 15))::uuid, (stamp || '9' || substr(md5(n::text), 1, 15))::uuid, \
           $2, $3, 1, $4, 'application/json', '/', '{}', visible_at, visible_at \
    FROM generate_series(1, $1) AS n \
    CROSS JOIN LATERAL (SELECT clock_timestamp() + $5 * interval '1 day' + n * interval '62 microseconds' AS visible_at) AS t \
    CROSS JOIN LATERAL (SELECT lpad(to_hex((extract(epoch FROM visible_at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') \
                        AS stamp) AS s";

fn url(database: &str) -> String {
    let server = std::env::var("POSTGRES_URL").unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432".into());
    format!("{server}/{database}")
}

async fn on_server(sql: String) -> anyhow::Result<()> {
    let server = PgPoolOptions::new().max_connections(1).connect(&url("postgres")).await?;
    sqlx::query(AssertSqlSafe(sql)).execute(&server).await?;
    server.close().await;
    Ok(())
}

impl System for Postgres {
    const LABEL: SystemName = SystemName::Postgres;
    const PARALLEL: bool = true;

    async fn create(name: &str) -> anyhow::Result<String> {
        on_server(format!("CREATE DATABASE {name}")).await?;
        Ok(url(name))
    }

    async fn drop(name: &str) -> anyhow::Result<()> {
        on_server(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
    }

    async fn connect(url: &str, connections: u32, _relay: bool) -> sqlx::Result<PgPool> {
        PgPoolOptions::new().max_connections(connections).test_before_acquire(false).connect(url).await
    }

    async fn begin_writing(pool: &PgPool) -> sqlx::Result<Transaction<'static, Self>> {
        pool.begin().await
    }

    async fn create_orders(pool: &PgPool) -> sqlx::Result<()> {
        let orders = "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint NOT NULL, \
                      amount_cents bigint NOT NULL, note text NOT NULL)";
        sqlx::query(orders).execute(pool).await.map(drop)
    }

    async fn insert_order(conn: &mut PgConnection, order: &Order) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO orders (customer_id, amount_cents, note) VALUES ($1, $2, $3)")
            .bind(order.customer_id)
            .bind(order.amount_cents)
            .bind(&order.note)
            .execute(conn)
            .await
            .map(drop)
    }

    async fn insert_by_hand(conn: &mut PgConnection, rows: &[Row<'_>]) -> sqlx::Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let insert = if rows.len() == 1 {
            sqlx::query(INSERT_ONE)
                .bind(first.id)
                .bind(first.event_id)
                .bind(first.target)
                .bind(first.topic)
                .bind(first.key)
                .bind(first.key_seq)
                .bind(first.payload)
        } else {
            sqlx::query(INSERT_MANY)
                .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.event_id).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.target).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.topic).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.key).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.key_seq).collect::<Vec<_>>())
                .bind(rows.iter().map(|row| row.payload).collect::<Vec<_>>())
        };
        let insert = insert.bind(first.occurred_at).bind(millis(first.visible_in)).bind(first.delay.map(millis)).bind(first.token);
        insert.execute(conn).await.map(drop)
    }

    async fn delete_by_hand(pool: &PgPool, ids: Vec<Uuid>, tokens: Vec<Uuid>) -> sqlx::Result<u64> {
        Ok(sqlx::query(DELETE).bind(ids).bind(tokens).execute(pool).await?.rows_affected())
    }

    async fn lease_by_hand(pool: &PgPool, target: &str, limit: i64, token: Uuid) -> sqlx::Result<Vec<LeasedRow>> {
        let rows = sqlx::query(LEASE).bind(target).bind(limit).bind(token).fetch_all(pool).await?;
        let read = rows.iter().map(|row| {
            Ok(LeasedRow {
                id: row.try_get(0)?,
                event_id: row.try_get(1)?,
                topic: row.try_get(2)?,
                version: row.try_get::<i32, _>(3)?.into(),
                key: row.try_get(4)?,
                payload: row.try_get(5)?,
                content_type: row.try_get(6)?,
                source: row.try_get(7)?,
                headers: row.try_get(8)?,
                occurred_at: row.try_get::<OffsetDateTime, _>(9)?,
                attempt: row.try_get::<i32, _>(10)?.into(),
                abandoned: row.try_get::<i32, _>(11)?.into(),
                failures: row.try_get(12)?,
            })
        });
        read.collect()
    }

    async fn clear(pool: &PgPool) -> sqlx::Result<()> {
        sqlx::query("TRUNCATE outbox, outbox_key, outbox_dead, orders").execute(pool).await.map(drop)
    }

    async fn fill(pool: &PgPool, backlog: &Backlog<'_>) -> sqlx::Result<()> {
        sqlx::query(FILL)
            .bind(i64::try_from(backlog.rows).unwrap_or(i64::MAX))
            .bind(backlog.target)
            .bind(backlog.topic)
            .bind(backlog.payload)
            .bind(if backlog.due { -1 } else { 1 })
            .execute(pool)
            .await
            .map(drop)
    }

    async fn settle_down(pool: &PgPool) -> sqlx::Result<()> {
        sqlx::query("VACUUM ANALYZE outbox").execute(pool).await?;
        // Only a superuser may; without it the sides differ by who meets a checkpoint.
        let _ = sqlx::query("CHECKPOINT").execute(pool).await;
        Ok(())
    }

    async fn hold_snapshot(conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders").execute(conn).await.map(drop)
    }

    async fn release_snapshot(conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::raw_sql("ROLLBACK").execute(conn).await.map(drop)
    }

    async fn read(pool: &PgPool) -> sqlx::Result<Reading> {
        // Of the cluster, both: a server for the benchmark alone gives clean figures. Transactions are those that wrote something; the
        // counters of pg_stat_database arrive too late for short measurements.
        let row = sqlx::query(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, pg_backend_pid()",
        )
        .fetch_one(pool)
        .await?;
        Ok(Reading {
            wal_bytes: u64::try_from(row.try_get::<i64, _>(0)?).ok(),
            transactions: u64::try_from(row.try_get::<i64, _>(1)?).ok(),
            cpu: u32::try_from(row.try_get::<i32, _>(2)?).ok().and_then(server_cpu_of_children),
        })
    }

    async fn dead_rows(pool: &PgPool) -> sqlx::Result<Option<u64>> {
        // What a connection has done is counted when it ends.
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                      AND backend_type = 'client backend'";
        for _ in 0..100 {
            if sqlx::query_scalar::<_, i64>(others).fetch_one(pool).await? == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let dead = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'outbox'";
        Ok(u64::try_from(sqlx::query_scalar::<_, i64>(dead).fetch_one(pool).await?).ok())
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
