//! A transport around another one that notes in the message table what was sent: `pending` becomes `processing`.

use crate::{
    events::OrderPlaced,
    message::{self, MessageError},
    status::Status,
};
use async_trait::async_trait;
use events_core::{DeliveryError, DomainEvent, Envelope, Transport};
use sqlx::SqlitePool;
use std::sync::Arc;

/// The broker, and the table of who sends.
pub(crate) struct Marking {
    inner: Box<dyn Transport>,
    pool: SqlitePool,
}

impl Marking {
    pub(crate) fn new(inner: impl Transport, pool: SqlitePool) -> Self {
        Self { inner: Box::new(inner), pool }
    }

    async fn mark(&self, envelope: &Envelope) -> Result<(), DeliveryError> {
        let placed: OrderPlaced = envelope.open()?;
        let mut conn = self.pool.acquire().await.map_err(MessageError::from)?;
        message::advance(&mut conn, &placed.order_no, Status::Processing).await?;
        Ok(())
    }
}

#[async_trait]
impl Transport for Marking {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn max_batch(&self) -> usize {
        self.inner.max_batch()
    }

    fn concurrency(&self) -> usize {
        self.inner.concurrency()
    }

    /// What was sent but could not be marked is sent again: the warehouse recognises it, and the table is right in the end.
    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let mut results = self.inner.send(batch).await;
        for (envelope, result) in batch.iter().zip(&mut results) {
            if result.is_ok() && envelope.topic == OrderPlaced::TOPIC {
                *result = self.mark(envelope).await;
            }
        }
        results
    }
}
