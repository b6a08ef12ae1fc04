//! A group of consumers: what it gets, how much at once, and when it gives up.

use super::subscription::RocketMqSubscription;
use super::transport::Shared;
use super::{NAME, group, names};
use crate::receiving::Opening;
use crate::{ConnectError, failure::Failure, options};
use events_core::{Backoff, RetryPolicy};
use std::{sync::Arc, time::Duration};

/// Options of a [`RocketMqSubscription`]; begin with [`RocketMq::subscribe`](super::RocketMq::subscribe).
///
/// ```no_run
/// # async fn example(rocketmq: events_mq::rocketmq::RocketMq) -> Result<(), events_mq::ConnectError> {
/// use events_core::{Backoff, RetryPolicy};
/// use std::time::Duration;
///
/// let subscription = rocketmq
///     .subscribe("billing")
///     .topics(["order.payok", "order.refunded"])
///     .retry(RetryPolicy::default().attempts(5).backoff(Backoff::Fixed(Duration::from_secs(10))))
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct RocketMqSubscriptionBuilder {
    shared: Arc<Shared>,
    plan: Plan,
}

/// What a group is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) group: String,
    /// None of them means all.
    pub(super) topics: Vec<String>,
    pub(super) retry: RetryPolicy,
    pub(super) ack_wait: Duration,
    pub(super) prefetch: usize,
    pub(super) from_now: bool,
}

impl RocketMqSubscriptionBuilder {
    pub(super) fn new(shared: Arc<Shared>, group: String) -> Self {
        let backoff = Backoff::Exponential { first: Duration::from_secs(1), max: Duration::from_secs(600) };
        let plan = Plan {
            group,
            topics: Vec::new(),
            retry: RetryPolicy::default().attempts(12).backoff(backoff),
            ack_wait: Duration::from_secs(30),
            prefetch: 128,
            from_now: false,
        };
        Self { shared, plan }
    }

    /// Which topics of events it gets. Default all. All subscriptions of a group must ask for the same ones, as RocketMQ demands it.
    pub fn topics(mut self, topics: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.plan.topics = topics.into_iter().map(Into::into).collect();
        self
    }

    /// A new group gets what is sent from now on. By default it gets everything that the brokers still have.
    pub fn from_now(mut self) -> Self {
        self.plan.from_now = true;
        self
    }

    /// How many times an event is delivered at most, and how long after a refusal it comes again. Default: 12 times, 1 s to 10 min with
    /// full jitter.
    ///
    /// The brokers have a list of delays, from 1 s to 2 h; the next one that is not shorter is taken. They count refusals, not deaths of
    /// subscribers. What has used up its deliveries goes to the dead letters.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.plan.retry = retry;
        self
    }

    /// After so long without an answer an event is taken for refused; and a subscriber that has events, answers none and asks for none is
    /// taken for dead, and others get its queues. Longer than an event takes to be handled. Default 30 s.
    ///
    /// A process that dies loses its connection, and others get its queues at once.
    pub fn ack_wait(mut self, wait: Duration) -> Self {
        self.plan.ack_wait = wait;
        self
    }

    /// How many events this subscription has at most that were not handed out yet. Default 128. At least one for each of its queues.
    pub fn prefetch(mut self, events: usize) -> Self {
        self.plan.prefetch = events;
        self
    }

    /// Makes the group and its topic for dead letters, or under [`Topology::Check`](crate::Topology::Check) looks whether they are there,
    /// and begins.
    ///
    /// # Errors
    /// An option cannot work, the brokers are away, or something is missing under [`Topology::Check`](crate::Topology::Check).
    pub async fn open(self) -> Result<RocketMqSubscription, ConnectError> {
        let Self { shared, plan } = self;
        let invalid = |option, value: String, rule| Err(options::invalid(option, value, rule));
        if !names::is_name(&plan.group) {
            return invalid("the name of the group", format!("{:?}", plan.group), names::RULE);
        }
        if let Some(topic) = plan.topics.iter().find(|topic| !names::is_tag(topic)) {
            return invalid("a topic", format!("{topic:?}"), "it must not be blank at an end, and hold neither `|` nor control characters");
        }
        if plan.prefetch == 0 {
            return invalid("`prefetch`", "0".to_owned(), "nothing would ever be delivered");
        }
        if plan.ack_wait < Duration::from_millis(100) {
            return invalid("`ack_wait`", format!("{:?}", plan.ack_wait), "it must be at least 100 ms");
        }
        let for_start = |failure: Failure| failure.for_start(NAME, shared.link.address());
        group::prepare(&shared.link, &plan.group).await.map_err(for_start)?;
        let intake = plan.open(&shared, Opening::First).await.map_err(for_start)?;
        Ok(RocketMqSubscription::over(Arc::clone(&shared), plan, intake))
    }
}
