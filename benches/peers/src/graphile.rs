//! `graphile_worker` as in its guide to the local queue: concurrency 4, a local queue of 100 with the refetch delay shown there.

use crate::order::{INSERT, Order};
use crate::wanted::Wanted;
use crate::{Handled, Peer};
use async_trait::async_trait;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RefetchDelayConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use sqlx_09::PgPool;
use sqlx_09::postgres::PgPoolOptions;
use std::sync::OnceLock;
use std::time::Duration;

const SCHEMA: &str = "graphile_worker";

/// The handler has no other way to what it counts with that costs nothing.
static HANDLED: OnceLock<Handled> = OnceLock::new();

impl TaskHandler for Order {
    const IDENTIFIER: &'static str = "ignore";

    async fn run(self, _cx: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(handled) = HANDLED.get() {
            handled.note();
        }
        Ok::<(), String>(())
    }
}

pub(crate) struct Graphile {
    pool: PgPool,
    utils: WorkerUtils,
}

impl Graphile {
    pub(crate) async fn start(wanted: &Wanted, handled: &Handled) -> anyhow::Result<Self> {
        let connections = u32::try_from(wanted.tasks)? + 12;
        let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false).connect(&wanted.url).await?;
        let _ = HANDLED.set(handled.clone());
        let refetch =
            RefetchDelayConfig::default().with_duration(Duration::from_millis(100)).with_threshold(10).with_max_abort_threshold(500);
        let queue = LocalQueueConfig::default().with_size(100).with_ttl(Duration::from_secs(300)).with_refetch_delay(refetch);
        let options = WorkerOptions::default().schema(SCHEMA).concurrency(4).local_queue(queue).define_job::<Order>();
        let worker = options.pg_pool(pool.clone()).init().await?;
        sqlx_09::query("DELETE FROM graphile_worker._private_jobs").execute(&pool).await?;
        let utils = worker.create_utils();
        if wanted.delivered {
            tokio::spawn(async move { worker.run().await });
        }
        Ok(Self { pool, utils })
    }
}

#[async_trait]
impl Peer for Graphile {
    async fn publish(&self, order: Order) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        sqlx_09::query(INSERT).bind(order.customer_id).bind(order.amount_cents).bind(&order.note).execute(&mut *tx).await?;
        self.utils.clone().with_executor(&mut tx).add_job(order, JobSpec::default()).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn is_settled(&self) -> anyhow::Result<bool> {
        Ok(sqlx_09::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM graphile_worker._private_jobs)").fetch_one(&self.pool).await?)
    }
}
