//! Receives events as a member of a consumer group.

use super::consumer::Plan;
use super::message::Message;
use super::reader::{Reader, SharedBooks};
use super::{NAME, dead_letters, transport::Shared};
use crate::failure::Failure;
use crate::receiving::{Feed, Opening, Poison, Reading, Source};
use async_trait::async_trait;
use events_core::{BoxError, Received, RetryPolicy, Subscription};
use std::time::{Duration, Instant};
use std::{fmt, sync::Arc};

/// When a message that could not become a dead letter comes again.
const AGAIN: Duration = Duration::from_secs(10);

/// The events of a consumer group; made by [`Kafka::subscribe`](super::Kafka::subscribe).
///
/// It never ends by itself: while the broker is away it waits, and tries again. Dropped, it leaves the group, and others of it get what is
/// not acknowledged by then. Keep asking for the next event: who does not for `ack_wait` is taken for dead.
///
/// What is no event, or has used up its deliveries, is stored in the topic `<prefix>.dead.<group>` with the headers `Events-Dead-Reason`,
/// `Events-Dead-Deliveries`, `Events-Dead-Topic`, `Events-Dead-Partition` and `Events-Dead-Offset`, and `next` goes on with what follows.
pub struct KafkaSubscription(Feed<KafkaSource>);

/// A consumer group.
pub(super) struct KafkaSource {
    shared: Arc<Shared>,
    plan: Plan,
    books: SharedBooks,
}

impl KafkaSubscription {
    pub(super) fn over(shared: Arc<Shared>, plan: Plan, books: SharedBooks, reader: Reader) -> Self {
        Self(Feed::over(Arc::new(KafkaSource { shared, plan, books }), reader))
    }

    /// Ends it: tells the group what was acknowledged, and leaves it. Answer what you have before.
    pub async fn stop(mut self) {
        self.0.stop().await;
    }
}

#[async_trait]
impl Subscription for KafkaSubscription {
    /// # Cancel safety
    /// Cancel safe: whatever was begun goes on with the next call.
    async fn next(&mut self) -> Option<Received> {
        self.0.next().await
    }
}

impl fmt::Debug for KafkaSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KafkaSource { shared, plan, .. } = &**self.0.source();
        f.debug_struct("KafkaSubscription").field("address", &shared.settings.address_text).field("plan", plan).finish_non_exhaustive()
    }
}

impl Source for KafkaSource {
    type Message = Message;
    type Consumer = Reader;

    fn name(&self) -> &str {
        &self.plan.group
    }

    fn retry(&self) -> &RetryPolicy {
        &self.plan.retry
    }

    async fn open(&self, opening: Opening) -> Result<Reader, Failure> {
        self.plan.open(&self.shared, &self.books, opening).await
    }

    fn read(&self, message: &Message) -> Reading {
        if !self.shared.settings.topics.is_of_pattern(&self.plan.topics, &message.place.topic) {
            return Reading::Foreign;
        }
        match message.envelope() {
            Ok(envelope) => Reading::Event(Arc::new(envelope), message.delivered),
            Err(why) => Reading::Poison(Poison::new(why, message.delivered)),
        }
    }

    async fn accept(&self, message: Message) -> Result<(), BoxError> {
        let done = self.books.lock().finish(&message);
        self.books.notify();
        done.map_err(|_| self.is_anothers(&message))
    }

    async fn postpone(&self, mut message: Message, delay: Duration) -> Result<(), BoxError> {
        message.delivered += 1;
        self.come_again(message, delay)
    }

    async fn bury(&self, message: Message, poison: Poison) -> Result<(), BoxError> {
        if self.books.lock().holds(&message.place).is_err() {
            return Err(self.is_anothers(&message));
        }
        let topic = self.shared.settings.topics.dead_letters_of(&self.plan.group);
        let from = &*message.place.topic;
        match dead_letters::store(&self.shared, &topic, &message, &poison).await {
            Ok(()) => {
                tracing::warn!(group = self.plan.group, from, to = topic, reason = poison.reason, "an event became a dead letter");
                self.accept(message).await
            }
            Err(error) => {
                tracing::error!(
                    group = self.plan.group, from, to = topic, reason = poison.reason, %error,
                    "a dead letter cannot be stored; the event comes again"
                );
                // As often as before, or one more refusal would be counted.
                self.come_again(message, AGAIN)?;
                Err(format!("{NAME} cannot store a dead letter in topic `{topic}`: {error}").into())
            }
        }
    }
}

impl KafkaSource {
    fn come_again(&self, message: Message, delay: Duration) -> Result<(), BoxError> {
        let place = message.place.clone();
        let kept = self.books.lock().postpone(message, Instant::now() + delay);
        self.books.notify();
        kept.map_err(|_| self.is_anothers_place(&place))
    }

    fn is_anothers(&self, message: &Message) -> BoxError {
        self.is_anothers_place(&message.place)
    }

    fn is_anothers_place(&self, place: &super::message::Place) -> BoxError {
        format!(
            "partition {} of topic `{}` went to another subscriber of group `{}` meanwhile, and the event comes again there",
            place.partition, place.topic, self.plan.group
        )
        .into()
    }
}
