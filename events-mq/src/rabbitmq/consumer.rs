//! A durable consumer: what it gets, how much at once, and when it gives up.

use super::arrivals::Arrivals;
use super::builder::check_consumer;
use super::queues;
use super::subscription::RabbitMqSubscription;
use super::transport::Shared;
use crate::{ConnectError, failure::Failure, options};
use events_core::{Backoff, RetryPolicy};
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use std::{sync::Arc, time::Duration};

/// Options of a [`RabbitMqSubscription`]; begin with [`RabbitMq::subscribe`](super::RabbitMq::subscribe).
///
/// ```no_run
/// # async fn example(rabbit: events_mq::rabbitmq::RabbitMq) -> Result<(), events_mq::ConnectError> {
/// use events_core::{Backoff, RetryPolicy};
/// use std::time::Duration;
///
/// let subscription = rabbit
///     .subscribe("billing")
///     .topics("order.*")
///     .retry(RetryPolicy::default().attempts(5).backoff(Backoff::Fixed(Duration::from_secs(10))))
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct RabbitMqSubscriptionBuilder {
    shared: Arc<Shared>,
    plan: Plan,
}

/// What a consumer is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) consumer: String,
    pub(super) topics: String,
    pub(super) retry: RetryPolicy,
    prefetch: u16,
}

impl RabbitMqSubscriptionBuilder {
    pub(super) fn new(shared: Arc<Shared>, consumer: String) -> Self {
        let backoff = Backoff::Exponential { first: Duration::from_secs(1), max: Duration::from_secs(600) };
        let retry = RetryPolicy::default().attempts(12).backoff(backoff);
        Self { shared, plan: Plan { consumer, topics: "#".to_owned(), retry, prefetch: 256 } }
    }

    /// Which topics its queue takes: `*` stands for one word between dots, `#` for any number of them. Default all.
    ///
    /// They are added to what the queue takes already, because RabbitMQ does not tell what that is: topics that are no longer wanted are
    /// unbound by hand.
    pub fn topics(mut self, topics: impl Into<String>) -> Self {
        self.plan.topics = topics.into();
        self
    }

    /// How many times an event is delivered at most, and how long after a refusal it comes again. Default: 12 times, 1 s to 10 min with
    /// full jitter.
    ///
    /// A quorum queue also counts the deliveries that ended with the death of a subscriber, or were prefetched and given back. What has used
    /// up its deliveries goes to the dead letters.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.plan.retry = retry;
        self
    }

    /// How many events this subscription has at most that are not acknowledged: those that were handed out, and those that were not yet.
    /// Default 256.
    pub fn prefetch(mut self, events: u16) -> Self {
        self.plan.prefetch = events;
        self
    }

    /// Makes the queue and that of its dead letters, or under [`Topology::Check`](crate::Topology::Check) looks whether they are there, and
    /// begins.
    ///
    /// # Errors
    /// An option cannot work, the server is away, or the exchange or a queue is missing under [`Topology::Check`](crate::Topology::Check).
    pub async fn open(self) -> Result<RabbitMqSubscription, ConnectError> {
        let Self { shared, plan } = self;
        check_consumer(&plan.consumer, &plan.topics)?;
        if plan.prefetch == 0 {
            return Err(options::invalid("`prefetch`", "0", "RabbitMQ takes that for any number, and memory has an end"));
        }
        RabbitMqSubscription::begin(shared, plan).await
    }
}

impl Plan {
    /// Begins to get events.
    pub(super) async fn open(&self, shared: &Shared) -> Result<Arrivals, Failure> {
        let settings = &shared.settings;
        let link = shared.consuming().await?;
        let wire = link.wire_soon().await?;
        queues::prepare_for(&wire, settings, &self.consumer, &self.topics).await?;
        let channel = wire.open_channel().await?;
        let queue = settings.names.queue(&self.consumer);
        let limited = queues::ask(&wire, &channel, channel.basic_qos(self.prefetch, BasicQosOptions::default())).await?;
        let refused = |error| queues::refused(settings, &format!("queue `{queue}`"), &error);
        limited.map_err(refused)?;
        let consuming = channel.basic_consume(queue.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
        let deliveries = queues::ask(&wire, &channel, consuming).await?.map_err(refused)?;
        Ok(Arrivals::new(channel, deliveries, self.prefetch, settings.ack_timeout))
    }
}
