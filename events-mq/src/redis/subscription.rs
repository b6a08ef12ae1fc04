//! Receives events as a member of a consumer group.

use super::acknowledger::Acknowledger;
use super::alarm::Alarm;
use super::group::Plan;
use super::pending::{Message, Pending};
use super::{dead_letters, reader::Reader, transport::Shared};
use crate::failure::Failure;
use crate::receiving::{Feed, Opening, Poison, Reading, Source};
use async_trait::async_trait;
use events_core::{BoxError, Received, RetryPolicy, Subscription};
use std::{fmt, sync::Arc, time::Duration};

/// The events of a consumer group; made by [`RedisStreams::subscribe`](super::RedisStreams::subscribe).
///
/// It never ends by itself: while the server is away it waits, and tries again. Dropped, it gives back what it has prefetched, so that
/// others of its name get it within a second; what it has handed out can still be acknowledged.
///
/// What is no event, or has used up its deliveries, is moved to the stream `<stream>.dead.<group>` with the fields `events_dead_reason`,
/// `events_dead_deliveries`, `events_dead_stream` and `events_dead_entry`, and `next` goes on with what follows.
pub struct RedisStreamsSubscription(Feed<Member>);

/// What the answers to events need.
pub(super) struct GroupSource {
    pub(super) shared: Arc<Shared>,
    pub(super) plan: Plan,
    pub(super) alarm: Alarm,
    pub(super) acknowledger: Acknowledger,
}

/// A member of a group.
pub(super) struct Member(Arc<GroupSource>);

impl RedisStreamsSubscription {
    pub(super) async fn open(shared: Arc<Shared>, plan: Plan) -> Result<Self, Failure> {
        let acknowledger = Acknowledger::start(Arc::clone(&shared), plan.clone());
        let member = Member(Arc::new(GroupSource { shared, plan, alarm: Alarm::default(), acknowledger }));
        let reader = member.open(Opening::First).await?;
        Ok(Self(Feed::over(Arc::new(member), reader)))
    }

    /// Ends it: gives back what was prefetched, and waits until the server has been told, also of earlier acknowledgements.
    pub async fn stop(mut self) {
        let source = Arc::clone(&self.0.source().0);
        // A server that goes away meanwhile needs not be told.
        let _ = tokio::time::timeout(source.shared.settings().ack_timeout, source.acknowledger.finish()).await;
        self.0.stop().await;
    }
}

#[async_trait]
impl Subscription for RedisStreamsSubscription {
    /// # Cancel safety
    /// Cancel safe: whatever was begun goes on with the next call.
    async fn next(&mut self) -> Option<Received> {
        self.0.next().await
    }
}

impl fmt::Debug for RedisStreamsSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStreamsSubscription").field("plan", &self.0.source().0.plan).finish_non_exhaustive()
    }
}

impl Member {
    fn pending(&self) -> Pending<'_> {
        Pending { shared: &self.0.shared, plan: &self.0.plan }
    }
}

impl Source for Member {
    type Message = Message;
    type Consumer = Reader;

    fn name(&self) -> &str {
        &self.0.plan.group
    }

    fn retry(&self) -> &RetryPolicy {
        &self.0.plan.retry
    }

    async fn open(&self, opening: Opening) -> Result<Reader, Failure> {
        self.0.plan.prepare(&self.0.shared, opening).await?;
        Reader::open(Arc::clone(&self.0)).await
    }

    fn read(&self, message: &Message) -> Reading {
        // What comes again was ours the first time, unless the topics of the group have changed since.
        if message.entry.topic().is_some_and(|topic| !self.0.plan.topics.matches(topic)) {
            return Reading::Foreign;
        }
        match message.entry.envelope() {
            Ok(envelope) => Reading::Event(Arc::new(envelope), message.delivered),
            Err(error) => Reading::Poison(Poison::new(error.to_string(), message.delivered)),
        }
    }

    async fn accept(&self, message: Message) -> Result<(), BoxError> {
        self.0.shared.link.check().map_err(told)?;
        self.0.acknowledger.acknowledge(message.entry.id).await.map_err(told)
    }

    async fn postpone(&self, message: Message, delay: Duration) -> Result<(), BoxError> {
        self.pending().postpone(&message.entry.id, delay).await.map_err(told)?;
        self.0.alarm.set(delay);
        Ok(())
    }

    async fn bury(&self, message: Message, poison: Poison) -> Result<(), BoxError> {
        let buried = dead_letters::bury(&self.0.shared, &self.0.plan, &message, &poison).await;
        if buried.is_err() {
            self.0.alarm.set(dead_letters::AGAIN);
        }
        buried
    }
}

#[allow(clippy::needless_pass_by_value)]
fn told(failure: Failure) -> BoxError {
    failure.text().into()
}
