//! Receives events as a member of a group.

use super::consumer::Plan;
use super::intake::{Arrival, Intake};
use super::progress::Refusal;
use super::{dead_letters, transport::Shared};
use crate::failure::Failure;
use crate::receiving::{Feed, Opening, Poison, Reading, Source};
use async_trait::async_trait;
use events_core::{BoxError, Received, RetryPolicy, Subscription};
use std::{fmt, sync::Arc, time::Duration};

/// When a message that could not become a dead letter comes again.
const AGAIN: Duration = Duration::from_secs(10);

/// The events of a group of consumers; made by [`RocketMq::subscribe`](super::RocketMq::subscribe).
///
/// It never ends by itself: while the brokers are away it waits, and tries again. Dropped, it leaves the group, so that others of it get
/// its queues at once; what it has handed out can still be acknowledged.
///
/// What is no event, or has used up its deliveries, is moved to the topic `%DLQ%<group>` with the properties `Events-Dead-Reason`,
/// `Events-Dead-Deliveries` and `Events-Dead-Topic`, and `next` goes on with what follows.
pub struct RocketMqSubscription(Feed<RocketMqSource>);

/// A group of consumers.
pub(super) struct RocketMqSource {
    shared: Arc<Shared>,
    plan: Plan,
}

impl RocketMqSubscription {
    pub(super) fn over(shared: Arc<Shared>, plan: Plan, intake: Intake) -> Self {
        Self(Feed::over(Arc::new(RocketMqSource { shared, plan }), intake))
    }

    /// Ends it: leaves the group, and waits until the brokers have been told, also how far it came.
    pub async fn stop(mut self) {
        self.0.stop().await;
    }
}

#[async_trait]
impl Subscription for RocketMqSubscription {
    /// # Cancel safety
    /// Cancel safe: whatever was begun goes on with the next call.
    async fn next(&mut self) -> Option<Received> {
        self.0.next().await
    }
}

impl fmt::Debug for RocketMqSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RocketMqSource { shared, plan } = &**self.0.source();
        let topic = &shared.link.settings().topic;
        f.debug_struct("RocketMqSubscription").field("topic", topic).field("plan", plan).finish_non_exhaustive()
    }
}

impl Source for RocketMqSource {
    type Message = Arrival;
    type Consumer = Intake;

    fn name(&self) -> &str {
        &self.plan.group
    }

    fn retry(&self) -> &RetryPolicy {
        &self.plan.retry
    }

    async fn open(&self, opening: Opening) -> Result<Intake, Failure> {
        self.plan.open(&self.shared, opening).await
    }

    fn read(&self, arrival: &Arrival) -> Reading {
        let delivered = arrival.message.refused.saturating_add(1);
        match arrival.message.envelope() {
            // Brokers compare no more than a hash of the tag.
            Ok(envelope) if !self.plan.topics.is_empty() && !self.plan.topics.iter().any(|topic| *topic == envelope.topic) => {
                Reading::Foreign
            }
            Ok(envelope) => Reading::Event(Arc::new(envelope), delivered),
            Err(error) => Reading::Poison(Poison::new(error.to_string(), delivered)),
        }
    }

    /// The broker is told within a second, once for many.
    async fn accept(&self, arrival: Arrival) -> Result<(), BoxError> {
        let Arrival { member, assigned, message } = arrival;
        member.pulse.beat();
        assigned.progress.done(message.offset);
        if assigned.is_revoked() {
            member.tell_late(&assigned).await.map_err(|failure| failure.text().to_owned())?;
        }
        Ok(())
    }

    async fn postpone(&self, arrival: Arrival, delay: Duration) -> Result<(), BoxError> {
        let Arrival { member, assigned, message } = arrival;
        member.pulse.beat();
        let refusal = Refusal::of(&message, delay);
        // Who has the queue now gets it without our doing.
        if assigned.is_revoked() || !assigned.progress.refuse(message.offset, refusal.clone()) {
            return Ok(());
        }
        // If this fails it is tried again, as long as we are a member.
        member.send_back(&assigned, message.offset, &refusal).await.map_err(|failure| failure.text().into())
    }

    async fn bury(&self, arrival: Arrival, poison: Poison) -> Result<(), BoxError> {
        match dead_letters::store(&self.shared, &self.plan, &arrival, &poison).await {
            Ok(()) => self.accept(arrival).await,
            Err(error) => {
                drop(self.postpone(arrival, AGAIN).await);
                Err(error)
            }
        }
    }
}
