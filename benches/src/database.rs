//! A database of the benchmark's own, with a business table and the tables of the outbox. All sides of a comparison use it in turns.

use crate::meter::Meter;
use crate::system::System;
use sqlx::Pool;

/// A database that is dropped at the end.
pub(crate) struct Database<S: System> {
    name: String,
    pub(crate) url: String,
    /// A connection for preparing and for looking on; no side works with it.
    pub(crate) control: Pool<S>,
}

impl<S: System> Database<S> {
    pub(crate) async fn create() -> anyhow::Result<Self> {
        let name = format!("events_bench_{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let url = S::create(&name).await?;
        let control = S::connect(&url, 1, false).await?;
        S::create_orders(&control).await?;
        events_sqlx::migrate(&control).await?;
        Ok(Self { name, url, control })
    }

    pub(crate) async fn drop(self) -> anyhow::Result<()> {
        self.control.close().await;
        S::drop(&self.name).await
    }

    /// A pool for so many tasks that publish at once.
    pub(crate) async fn pool(&self, tasks: usize) -> anyhow::Result<Pool<S>> {
        Ok(S::connect(&self.url, u32::try_from(tasks)?, false).await?)
    }

    /// A pool for what goes on behind the publishers.
    pub(crate) async fn relay_pool(&self) -> anyhow::Result<Pool<S>> {
        Ok(S::connect(&self.url, 2, true).await?)
    }

    /// Empties all tables.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        Ok(S::clear(&self.control).await?)
    }

    /// Begins to measure.
    pub(crate) async fn meter(&self) -> anyhow::Result<Meter> {
        Ok(Meter::start(S::read(&self.control).await?))
    }
}
