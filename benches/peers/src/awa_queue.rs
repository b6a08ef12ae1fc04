//! `awa` as in its README: one queue with the default configuration (50 workers, polling every 200 ms, woken by NOTIFY).

use crate::order::{self, Order};
use crate::wanted::Wanted;
use crate::{Handled, Peer};
use async_trait::async_trait;
use awa::{Client, InsertOpts, JobResult, QueueConfig, insert_with, migrations};
use sqlx::PgPool;

pub(crate) struct Awa {
    pool: PgPool,
    /// Works until it is dropped.
    _client: Option<Client>,
}

impl Awa {
    pub(crate) async fn start(wanted: &Wanted, handled: &Handled) -> anyhow::Result<Self> {
        let pool = order::pool(&wanted.url, wanted.tasks).await?;
        migrations::run(&pool).await?;
        let mut client = None;
        if wanted.delivered {
            let handled = handled.clone();
            let builder =
                Client::builder(pool.clone()).queue("bench", QueueConfig::default()).register::<Order, _, _>(move |_order, _cx| {
                    handled.note();
                    async { Ok(JobResult::Completed) }
                });
            let started = builder.build()?;
            started.start().await?;
            client = Some(started);
        }
        Ok(Self { pool, _client: client })
    }
}

#[async_trait]
impl Peer for Awa {
    async fn publish(&self, order: Order) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        order.insert(&mut tx).await?;
        insert_with(&mut *tx, &order, InsertOpts { queue: "bench".into(), ..InsertOpts::default() }).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Its tables do not tell in one cheap question; that the handler was called for all must do, which flatters it.
    async fn is_settled(&self) -> anyhow::Result<bool> {
        Ok(true)
    }
}
