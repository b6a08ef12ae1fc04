//! Receives events from a durable consumer.

use super::arrivals::Arrivals;
use super::consumer::Plan;
use super::message::Message;
use super::transport::Shared;
use super::{NAME, copies};
use crate::receiving::{Feed, Opening, Poison, Reading, Source};
use crate::{ConnectError, failure::Failure};
use async_trait::async_trait;
use events_core::{BoxError, Received, RetryPolicy, Subscription};
use lapin::options::{BasicAckOptions, BasicNackOptions};
use std::{fmt, sync::Arc, time::Duration};

/// When a message that could not become a dead letter comes again.
const AGAIN: Duration = Duration::from_secs(10);

/// The events of a durable consumer; made by [`RabbitMq::subscribe`](super::RabbitMq::subscribe).
///
/// It never ends by itself: while the server is away it waits, and tries again. Dropped, it gives back what it has prefetched, so that
/// others of its consumer get it at once; what it has handed out can still be acknowledged.
///
/// What is no event, or has used up its deliveries, is moved to the queue `<exchange>.dead.<consumer>` with the headers
/// `Events-Dead-Reason`, `Events-Dead-Deliveries` and `Events-Dead-Routing-Key`, and `next` goes on with what follows.
pub struct RabbitMqSubscription(Feed<RabbitMqSource>);

/// The queue of a consumer.
#[derive(Clone)]
pub(super) struct RabbitMqSource {
    shared: Arc<Shared>,
    plan: Plan,
}

impl RabbitMqSubscription {
    pub(super) async fn begin(shared: Arc<Shared>, plan: Plan) -> Result<Self, ConnectError> {
        let source = RabbitMqSource { shared, plan };
        let arrivals = source.open(Opening::First).await;
        let arrivals = arrivals.map_err(|failure| failure.for_start(NAME, source.shared.link.address()))?;
        Ok(Self(Feed::over(Arc::new(source), arrivals)))
    }

    /// Ends it: gives back what was prefetched, and waits until the server has been told, also of earlier acknowledgements.
    pub async fn stop(mut self) {
        self.0.stop().await;
    }
}

#[async_trait]
impl Subscription for RabbitMqSubscription {
    /// # Cancel safety
    /// Cancel safe: whatever was begun goes on with the next call.
    async fn next(&mut self) -> Option<Received> {
        self.0.next().await
    }
}

impl fmt::Debug for RabbitMqSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RabbitMqSource { shared, plan } = &**self.0.source();
        f.debug_struct("RabbitMqSubscription")
            .field("address", &shared.settings.address_text)
            .field("exchange", &shared.settings.names.exchange)
            .field("plan", plan)
            .finish_non_exhaustive()
    }
}

impl Source for RabbitMqSource {
    type Message = Message;
    type Consumer = Arrivals;

    fn name(&self) -> &str {
        &self.plan.consumer
    }

    fn retry(&self) -> &RetryPolicy {
        &self.plan.retry
    }

    async fn open(&self, _: Opening) -> Result<Arrivals, Failure> {
        self.plan.open(&self.shared).await
    }

    fn read(&self, message: &Message) -> Reading {
        let delivered = message.deliveries();
        match message.envelope() {
            Ok(envelope) => Reading::Event(Arc::new(envelope), delivered),
            Err(why) => Reading::Poison(Poison::new(why, delivered)),
        }
    }

    async fn accept(&self, message: Message) -> Result<(), BoxError> {
        let acked = tokio::time::timeout(self.shared.settings.ack_timeout, message.delivery.acker.ack(BasicAckOptions::default()));
        match acked.await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => {
                Err(self.shared.link.away("the channel was closed before the answer, and the event comes again").text().into())
            }
            Ok(Err(error)) => Err(self.shared.link.away(&error.to_string()).text().into()),
            Err(_) => Err(self.shared.link.away("it does not take the answer").text().into()),
        }
    }

    /// RabbitMQ has no such thing: a copy waits in a queue of its own, and the original is forgotten when the copy is stored.
    async fn postpone(&self, message: Message, delay: Duration) -> Result<(), BoxError> {
        let copied = copies::to_retry(&self.shared, &self.plan.consumer, &message, delay).await;
        match copied {
            Ok(true) => self.accept(message).await,
            // Nobody may make the queue for it; so it waits here.
            Ok(false) => {
                self.hold(message, delay);
                Ok(())
            }
            Err(failure) => {
                self.hold(message, delay);
                Err(failure.text().into())
            }
        }
    }

    async fn bury(&self, message: Message, poison: Poison) -> Result<(), BoxError> {
        let (consumer, from) = (&self.plan.consumer, message.routing_key());
        match copies::to_dead(&self.shared, consumer, &message, &poison).await {
            Ok(to) => {
                tracing::warn!(consumer, from, to, reason = poison.reason, "an event became a dead letter");
                self.accept(message).await
            }
            Err(failure) => {
                let error = failure.text();
                tracing::error!(consumer, from, reason = poison.reason, error, "a dead letter cannot be stored; the event comes again");
                self.hold(message, AGAIN);
                Err(error.into())
            }
        }
    }
}

impl RabbitMqSource {
    /// Keeps a message for a while, unanswered, and then gives it back to its queue.
    fn hold(&self, message: Message, delay: Duration) {
        let source = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let requeue = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
            if let Err(error) = message.delivery.acker.nack(requeue).await {
                tracing::debug!(consumer = source.plan.consumer, %error, "the channel is gone, and its messages come again");
            }
        });
    }
}
