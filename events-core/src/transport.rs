//! The way to a message broker, and back. One small trait each, so that an adapter is one small module.

use crate::{BoxError, BoxFuture, DeliveryError, Envelope, RetryPolicy};
use async_trait::async_trait;
use std::{fmt, sync::Arc};

/// Sends events to a message broker. At least once: the same event id may be sent twice.
///
/// ```
/// use events_core::{DeliveryError, Envelope, Transport};
/// use std::sync::Arc;
///
/// struct Stdout;
///
/// #[async_trait::async_trait]
/// impl Transport for Stdout {
///     fn name(&self) -> &str { "stdout" }
///     async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
///         batch.iter().map(|event| { println!("{} {}", event.topic, event.id); Ok(()) }).collect()
///     }
/// }
/// ```
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Names the transport in the outbox table and in `to = ".."`; keep it stable across releases.
    fn name(&self) -> &str;

    /// The largest batch that [`send`](Self::send) is given. A batch is settled as a whole when its last result is known, so after a
    /// crash up to a batch is sent again: large where confirmations come together, small where they come one by one.
    fn max_batch(&self) -> usize {
        100
    }

    /// How many batches are under way at once: few where one of them is large, many where an event is a batch of its own.
    fn concurrency(&self) -> usize {
        4
    }

    /// When failed deliveries of this transport are tried again. `None`, the default, takes the outbox's policy.
    fn retry(&self) -> Option<RetryPolicy> {
        None
    }

    /// Sends a batch and returns one result per event, in order, once the broker has confirmed it.
    ///
    /// A batch never holds two events of one key.
    ///
    /// # Errors
    /// [`DeliveryError::unavailable`] if the broker as a whole is away; otherwise as a handler would fail.
    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>>;
}

/// Receives events from a message broker.
#[async_trait]
pub trait Subscription: Send {
    /// The next event; `None` when the subscription has ended.
    ///
    /// # Cancel safety
    /// Cancel safe: an event that was not returned is not lost.
    async fn next(&mut self) -> Option<Received>;
}

/// An event that a broker delivered and waits to be acknowledged. Dropping it is a refusal.
pub struct Received {
    envelope: Arc<Envelope>,
    acknowledge: Box<dyn Acknowledge>,
    deliveries: u32,
}

/// How a broker is told. Implemented by transports.
pub trait Acknowledge: Send {
    /// The event is dealt with.
    fn ack(self: Box<Self>) -> BoxFuture<'static, Result<(), BoxError>>;
    /// The event shall come again.
    fn nack(self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>>;
    /// The event shall not come again, but be kept where dead letters are. A broker that has no such place lets it come again.
    fn bury(self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        self.nack(reason)
    }
}

impl Received {
    /// Pairs an event with the way to acknowledge it.
    #[must_use]
    pub fn new(envelope: Arc<Envelope>, acknowledge: Box<dyn Acknowledge>) -> Self {
        Self { envelope, acknowledge, deliveries: 1 }
    }

    /// Says how many times the event was delivered, with this one.
    #[must_use]
    pub fn delivered(self, times: u32) -> Self {
        Self { deliveries: times, ..self }
    }

    /// How many times the event was delivered, with this one, as far as the broker knows; 1 if it does not count.
    #[must_use]
    pub fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// The event.
    #[must_use]
    pub fn envelope(&self) -> &Arc<Envelope> {
        &self.envelope
    }

    /// Tells the broker that the event is dealt with.
    ///
    /// # Errors
    /// The broker could not be told; the event will come again.
    pub async fn ack(self) -> Result<(), BoxError> {
        self.acknowledge.ack().await
    }

    /// Tells the broker to deliver the event again.
    ///
    /// # Errors
    /// The broker could not be told; it will find out by itself.
    pub async fn nack(self, reason: impl Into<BoxError>) -> Result<(), BoxError> {
        self.acknowledge.nack(reason.into()).await
    }

    /// Tells the broker to keep the event among the dead letters: no repetition can help.
    ///
    /// # Errors
    /// The broker could not be told, or could not keep it; the event will come again.
    pub async fn bury(self, reason: impl Into<BoxError>) -> Result<(), BoxError> {
        self.acknowledge.bury(reason.into()).await
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}
