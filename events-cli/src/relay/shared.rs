//! One transport for several outboxes.

use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, RetryPolicy, Transport};
use std::sync::Arc;

/// Clones share one connection to the broker.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<dyn Transport>);

#[async_trait]
impl Transport for Shared {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn max_batch(&self) -> usize {
        self.0.max_batch()
    }

    fn concurrency(&self) -> usize {
        self.0.concurrency()
    }

    fn retry(&self) -> Option<RetryPolicy> {
        self.0.retry()
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        self.0.send(batch).await
    }
}
