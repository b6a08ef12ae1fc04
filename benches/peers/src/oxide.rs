//! `outbox-core` with `outbox-postgres` as in the README of the latter: the default configuration (batches of 100, woken by NOTIFY, polling
//! every 10 s), which the documentation of `OutboxConfig` calls suitable as a starting point. The handler is the transport, as in the
//! README of the former; the tables are those of its migration.

use crate::order::{self, Order};
use crate::wanted::Wanted;
use crate::{Handled, Peer};
use async_trait::async_trait;
use outbox_core::{Event, NoIdempotency, OutboxConfig, OutboxError, OutboxManagerBuilder, OutboxService, Transport};
use outbox_postgres::{PostgresOutbox, PostgresWriter};
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::watch;

const MIGRATION: &str = include_str!(concat!(env!("OUTBOX_POSTGRES"), "/migrations/20260213152819_init.sql"));

struct Ignore(Handled);

#[async_trait]
impl Transport<Order> for Ignore {
    async fn publish(&self, _event: Event<Order>) -> Result<(), OutboxError> {
        self.0.note();
        Ok(())
    }
}

pub(crate) struct Oxide {
    pool: PgPool,
    service: OutboxService<PostgresWriter, NoIdempotency, Order>,
    /// The manager works until it is dropped.
    _stop: watch::Sender<bool>,
}

impl Oxide {
    pub(crate) async fn start(wanted: &Wanted, handled: &Handled) -> anyhow::Result<Self> {
        let pool = order::pool(&wanted.url, wanted.tasks).await?;
        migrate(&pool).await?;
        let config = Arc::new(OutboxConfig::default());
        let (stop, stopped) = watch::channel(false);
        if wanted.delivered {
            let manager = OutboxManagerBuilder::new()
                .storage(Arc::new(PostgresOutbox::new(pool.clone(), Arc::clone(&config))))
                .publisher(Arc::new(Ignore(handled.clone())))
                .config(Arc::clone(&config))
                .shutdown_rx(stopped)
                .build()?;
            tokio::spawn(manager.run());
        }
        Ok(Self { pool, service: OutboxService::new(Arc::new(PostgresWriter), config), _stop: stop })
    }
}

async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    if !sqlx::query_scalar::<_, bool>("SELECT to_regclass('outbox_events') IS NOT NULL").fetch_one(pool).await? {
        sqlx::raw_sql(MIGRATION).execute(pool).await?;
    }
    Ok(sqlx::raw_sql("TRUNCATE outbox_events").execute(pool).await.map(drop)?)
}

#[async_trait]
impl Peer for Oxide {
    async fn publish(&self, order: Order) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        order.insert(&mut tx).await?;
        self.service.add_event("bench.placed", order, None, &mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn is_settled(&self) -> anyhow::Result<bool> {
        let left = "SELECT NOT EXISTS (SELECT 1 FROM outbox_events WHERE status IN ('Pending', 'Processing'))";
        Ok(sqlx::query_scalar(left).fetch_one(&self.pool).await?)
    }
}
