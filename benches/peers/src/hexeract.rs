//! `hexeract-outbox-sql` as in its README: one worker that polls every 50 ms, all else as by default (batches of 10).

use crate::order::{self, Order};
use crate::wanted::Wanted;
use crate::{Handled, Peer};
use async_trait::async_trait;
use hexeract_core::HandlerContext;
use hexeract_outbox::{Event, Handler, OutboxError, OutboxPublisher};
use hexeract_outbox_sql::postgres::ensure_schema;
use hexeract_outbox_sql::{PgOutboxPublisher, PgOutboxWorkerBuilder};
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const TABLE: &str = "hexeract_outbox";

impl Event for Order {
    const EVENT_TYPE: &'static str = "bench.placed";
}

struct Ignore(Handled);

impl Handler<Order> for Ignore {
    type Error = OutboxError;
    async fn handle(&self, _event: Order, _cx: &HandlerContext) -> Result<(), OutboxError> {
        self.0.note();
        Ok(())
    }
}

pub(crate) struct Hexeract {
    pool: PgPool,
    publisher: PgOutboxPublisher,
}

impl Hexeract {
    pub(crate) async fn start(wanted: &Wanted, handled: &Handled) -> anyhow::Result<Self> {
        let pool = order::pool(&wanted.url, wanted.tasks).await?;
        ensure_schema(&pool, TABLE).await?;
        sqlx::query("TRUNCATE hexeract_outbox").execute(&pool).await?;
        if wanted.delivered {
            let worker = PgOutboxWorkerBuilder::new(pool.clone())
                .table_name(TABLE)
                .register_handler::<Order, _>(Ignore(handled.clone()))
                .poll_interval(Duration::from_millis(50))
                .build()?;
            tokio::spawn(worker.run(CancellationToken::new()));
        }
        Ok(Self { publisher: PgOutboxPublisher::new(pool.clone(), TABLE)?, pool })
    }
}

#[async_trait]
impl Peer for Hexeract {
    async fn publish(&self, order: Order) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        order.insert(&mut tx).await?;
        self.publisher.publish_in_tx(&mut tx, &order).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn is_settled(&self) -> anyhow::Result<bool> {
        let left = "SELECT NOT EXISTS (SELECT 1 FROM hexeract_outbox WHERE delivered_at IS NULL)";
        Ok(sqlx::query_scalar(left).fetch_one(&self.pool).await?)
    }
}
