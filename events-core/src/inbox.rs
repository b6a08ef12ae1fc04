//! What is remembered of events that brokers deliver, so that one that comes again is recognised.

use crate::{DeliveryError, EventId, InUnitOfWork};
use async_trait::async_trait;

/// That a handler has handled an event, as the inbox keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The handler's name.
    pub consumer: &'a str,
    /// The event.
    pub event: EventId,
}

/// What became of an event that a broker delivered.
#[derive(Debug)]
pub enum ReceiveOutcome {
    /// The handler's writes, its events and the receipt were committed together.
    Handled,
    /// The inbox has the receipt already; the handler was not called.
    Duplicate,
    /// The handler or the database failed; its work was rolled back, and so was the receipt.
    Failed(DeliveryError),
    /// The connection was lost during COMMIT: whether there is a receipt, the next delivery finds out.
    Unknown,
}

/// Remembers which handler has handled which event. Every [`OutboxStore`](crate::OutboxStore) is one, and its receipts are in the transaction of
/// the handler; what others promise is theirs to say.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// Runs a handler, unless there is a receipt already. A store runs it in a unit of work of its own that begins with the receipt. Of
    /// several calls at once with the same receipt, at most one has an effect.
    async fn receive(&self, receipt: &Receipt<'_>, handler: &dyn InUnitOfWork) -> ReceiveOutcome;
}
