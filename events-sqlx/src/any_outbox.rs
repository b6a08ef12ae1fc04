//! An outbox as one of a group.

use crate::Outbox;
use crate::backend::Backend;
use async_trait::async_trait;
use events_core::{AnyOutbox, Error, LoopHealth, Stats};
use std::time::Duration;

#[async_trait]
impl<DB: Backend> AnyOutbox for Outbox<DB> {
    fn stats(&self) -> Stats {
        self.stats()
    }

    fn health(&self) -> Vec<LoopHealth> {
        self.health()
    }

    fn in_flight(&self) -> usize {
        self.in_flight()
    }

    async fn waiting(&self) -> Result<u64, Error> {
        self.waiting().await
    }

    async fn dead_count(&self) -> Result<u64, Error> {
        self.dead_count().await
    }

    async fn shutdown_within(&self, deadline: Duration) -> usize {
        self.shutdown_within(deadline).await
    }
}
