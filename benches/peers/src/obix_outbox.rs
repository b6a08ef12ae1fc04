//! `obix` as in its README, with a subscriber that keeps its place in the database, because the listener of the README keeps none. The
//! configurations are the defaults; the tables are those it tells to copy.

use crate::order::{self, Order};
use crate::wanted::Wanted;
use crate::{Handled, Peer};
use async_trait::async_trait;
use job::{JobSvcConfig, JobType, Jobs};
use obix::MailboxConfig;
use obix::out::{EventCtx, Handled as Taken, Outbox, OutboxEventJobConfig, SingletonSubscriber};
use sqlx::PgPool;

struct Ignore(Handled);

impl SingletonSubscriber<Order> for Ignore {
    type Batch = ();

    async fn handle_persistent<'inv>(
        &self,
        cx: EventCtx<'inv>,
        event: &obix::EventDelivery<Order>,
    ) -> Result<Taken<'inv>, Box<dyn std::error::Error + Send + Sync>> {
        if event.payload.is_some() {
            self.0.note();
        }
        Ok(cx.skip())
    }
}

pub(crate) struct Obix {
    outbox: Outbox<Order>,
    /// Works until it is dropped.
    _jobs: Option<Jobs>,
}

impl Obix {
    pub(crate) async fn start(wanted: &Wanted, handled: &Handled) -> anyhow::Result<Self> {
        let pool = order::pool(&wanted.url, wanted.tasks).await?;
        migrate(&pool).await?;
        let outbox = Outbox::<Order>::init(&pool, MailboxConfig::builder().build()).await?;
        let mut working = None;
        if wanted.delivered {
            let mut jobs = Jobs::init(JobSvcConfig::builder().pool(pool.clone()).build()?).await?;
            let config = OutboxEventJobConfig::new(JobType::new("ignore"));
            outbox.register_singleton_subscriber(&mut jobs, config, Ignore(handled.clone())).await?;
            jobs.start_poll().await?;
            working = Some(jobs);
        }
        Ok(Self { outbox, _jobs: working })
    }
}

async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    if !sqlx::query_scalar::<_, bool>("SELECT to_regclass('persistent_outbox_events') IS NOT NULL").fetch_one(pool).await? {
        sqlx::raw_sql(include_str!(concat!(env!("OBIX"), "/migrations/20250904065521_job_setup.sql"))).execute(pool).await?;
        sqlx::raw_sql(include_str!(concat!(env!("OBIX"), "/migrations/20251204130225_obix_setup.sql"))).execute(pool).await?;
    }
    Ok(sqlx::raw_sql("TRUNCATE persistent_outbox_events RESTART IDENTITY; TRUNCATE jobs CASCADE").execute(pool).await.map(drop)?)
}

#[async_trait]
impl Peer for Obix {
    async fn publish(&self, order: Order) -> anyhow::Result<()> {
        use es_entity::AtomicOperation;
        let mut op = self.outbox.begin_op().await?;
        order.insert(op.connection()).await?;
        self.outbox.publish_persisted_in_op(&mut op, order).await?;
        op.commit().await?;
        Ok(())
    }

    /// Its place is written now and then; that the handler was called for all must do, which flatters it.
    async fn is_settled(&self) -> anyhow::Result<bool> {
        Ok(true)
    }
}
