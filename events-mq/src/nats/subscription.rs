//! Receives events from a durable consumer.

use super::consumer::Plan;
use super::{dead_letters, pull::Pull, subject, transport::Shared};
use crate::failure::Failure;
use crate::headers::Binding;
use crate::receiving::{Feed, Opening, Poison, Reading, Source};
use async_nats::jetstream::{AckKind, Message};
use async_trait::async_trait;
use events_core::{BoxError, Received, RetryPolicy, Subscription};
use std::{fmt, sync::Arc, time::Duration};

/// The events of a durable consumer; made by [`Nats::subscribe`](super::Nats::subscribe).
///
/// It never ends by itself: while the server is away it waits, and tries again. Dropped, it gives back what it has prefetched, so that
/// others of its consumer get it at once; what it has handed out can still be acknowledged.
///
/// What is no event, or has used up its deliveries, is moved to the subject `<prefix>.dead.<consumer>` with the headers
/// `Events-Dead-Reason`, `Events-Dead-Deliveries` and `Events-Dead-Subject`, and `next` goes on with what follows.
pub struct NatsSubscription(Feed<NatsSource>);

/// A consumer of a stream.
pub(super) struct NatsSource {
    shared: Arc<Shared>,
    plan: Plan,
}

impl NatsSubscription {
    pub(super) fn over(shared: Arc<Shared>, plan: Plan, pull: Pull) -> Self {
        Self(Feed::over(Arc::new(NatsSource { shared, plan }), pull))
    }

    /// Ends it: gives back what was prefetched, and waits until the server has been told, also of earlier acknowledgements.
    pub async fn stop(mut self) {
        self.0.stop().await;
        let shared = &self.0.source().shared;
        if shared.link.is_up() {
            // A server that goes away meanwhile needs not be told.
            let _ = tokio::time::timeout(shared.settings.ack_timeout, shared.link.client().flush()).await;
        }
    }
}

#[async_trait]
impl Subscription for NatsSubscription {
    /// # Cancel safety
    /// Cancel safe: whatever was begun goes on with the next call.
    async fn next(&mut self) -> Option<Received> {
        self.0.next().await
    }
}

impl fmt::Debug for NatsSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NatsSource { shared, plan } = &**self.0.source();
        f.debug_struct("NatsSubscription").field("stream", &shared.settings.stream).field("plan", plan).finish_non_exhaustive()
    }
}

impl Source for NatsSource {
    type Message = Message;
    type Consumer = Pull;

    fn name(&self) -> &str {
        &self.plan.consumer
    }

    fn retry(&self) -> &RetryPolicy {
        &self.plan.retry
    }

    async fn open(&self, opening: Opening) -> Result<Pull, Failure> {
        self.plan.open(&self.shared, opening).await
    }

    fn read(&self, message: &Message) -> Reading {
        let Ok(info) = message.info() else {
            tracing::warn!(subject = %message.subject, "a message that JetStream did not deliver is left out");
            return Reading::Foreign;
        };
        let delivered = u32::try_from(info.delivered).unwrap_or(u32::MAX);
        if self.shared.settings.subjects.is_dead(&message.subject) && !subject::asks_for_dead_letters(&self.plan.topics) {
            return Reading::Foreign;
        }
        let headers = message.headers.iter().flat_map(|headers| headers.iter());
        let headers = headers.filter_map(|(name, values)| Some((name.as_ref(), values.last()?.as_str())));
        match Binding::NATS.envelope(headers, message.payload.clone()) {
            Ok(envelope) => Reading::Event(Arc::new(envelope), delivered),
            Err(error) => Reading::Poison(Poison::new(error.to_string(), delivered)),
        }
    }

    async fn accept(&self, message: Message) -> Result<(), BoxError> {
        self.answer(&message, AckKind::Ack).await
    }

    async fn postpone(&self, message: Message, delay: Duration) -> Result<(), BoxError> {
        self.answer(&message, AckKind::Nak(Some(delay))).await
    }

    async fn bury(&self, message: Message, poison: Poison) -> Result<(), BoxError> {
        dead_letters::bury(&self.shared, &self.plan, &message, &poison).await
    }
}

impl NatsSource {
    async fn answer(&self, message: &Message, answer: AckKind) -> Result<(), BoxError> {
        let link = &self.shared.link;
        link.check().map_err(|failure| failure.text().to_owned())?;
        match tokio::time::timeout(self.shared.settings.ack_timeout, message.ack_with(answer)).await {
            Ok(told) => told,
            Err(_) => Err(link.away("it does not take the answer").text().into()),
        }
    }
}
