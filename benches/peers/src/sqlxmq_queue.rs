//! `sqlxmq` as in its README ("Getting started", the same as the crate's page on docs.rs): a runner that aims to keep 10-20 jobs running,
//! woken by NOTIFY; all else as by default (one unordered channel, 4 retries, jobs kept alive). The tables are those it tells to copy.

use crate::order::{self, Order};
use crate::wanted::Wanted;
use crate::{Handled, Peer};
use async_trait::async_trait;
use sqlx::PgPool;
use sqlxmq::{CurrentJob, JobRegistry, JobRunnerHandle, job};
use std::error::Error;

/// In the order in which they are to be run.
const MIGRATIONS: [&str; 5] = [
    include_str!(concat!(env!("SQLXMQ"), "/migrations/20210316025847_setup.up.sql")),
    include_str!(concat!(env!("SQLXMQ"), "/migrations/20210921115907_clear.up.sql")),
    include_str!(concat!(env!("SQLXMQ"), "/migrations/20211013151757_fix_mq_latest_message.up.sql")),
    include_str!(concat!(env!("SQLXMQ"), "/migrations/20220208120856_fix_concurrent_poll.up.sql")),
    include_str!(concat!(env!("SQLXMQ"), "/migrations/20220713122907_fix-clear_all-keep-nil-message.up.sql")),
];

#[job(channel_name = "bench")]
async fn ignore(mut current_job: CurrentJob, handled: Handled) -> Result<(), Box<dyn Error + Send + Sync>> {
    let order: Option<Order> = current_job.json()?;
    if order.is_some() {
        handled.note();
    }
    current_job.complete().await?;
    Ok(())
}

pub(crate) struct Sqlxmq {
    pool: PgPool,
    /// Works until it is dropped.
    _runner: Option<JobRunnerHandle>,
}

impl Sqlxmq {
    pub(crate) async fn start(wanted: &Wanted, handled: &Handled) -> anyhow::Result<Self> {
        let pool = order::pool(&wanted.url, wanted.tasks).await?;
        migrate(&pool).await?;
        let mut runner = None;
        if wanted.delivered {
            let mut registry = JobRegistry::new(&[ignore]);
            registry.set_context(handled.clone());
            runner = Some(registry.runner(&pool).set_concurrency(10, 20).run().await?);
        }
        Ok(Self { pool, _runner: runner })
    }
}

async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    if !sqlx::query_scalar::<_, bool>("SELECT to_regclass('mq_msgs') IS NOT NULL").fetch_one(pool).await? {
        for migration in MIGRATIONS {
            sqlx::raw_sql(migration).execute(pool).await?;
        }
    }
    Ok(sqlxmq::clear_all(pool).await?)
}

#[async_trait]
impl Peer for Sqlxmq {
    async fn publish(&self, order: Order) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        order.insert(&mut tx).await?;
        ignore.builder().set_json(&order)?.spawn(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn is_settled(&self) -> anyhow::Result<bool> {
        // One row is always there, for the others to refer to.
        Ok(sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM mq_msgs WHERE id <> uuid_nil())").fetch_one(&self.pool).await?)
    }
}
