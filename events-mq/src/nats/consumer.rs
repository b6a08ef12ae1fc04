//! A durable consumer: what it gets, how much at once, and when it gives up.

use super::pull::Pull;
use super::subscription::NatsSubscription;
use super::transport::Shared;
use super::{NAME, subject};
use crate::receiving::Opening;
use crate::{ConnectError, Topology, failure::Failure, options};
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::{ErrorCode, stream::ConsumerError, stream::ConsumerErrorKind};
use events_core::{Backoff, RetryPolicy};
use std::{sync::Arc, time::Duration};

/// Options of a [`NatsSubscription`]; begin with [`Nats::subscribe`](super::Nats::subscribe).
///
/// ```no_run
/// # async fn example(nats: events_mq::nats::Nats) -> Result<(), events_mq::ConnectError> {
/// use events_core::{Backoff, RetryPolicy};
/// use std::time::Duration;
///
/// let subscription = nats
///     .subscribe("billing")
///     .topics("order.*")
///     .retry(RetryPolicy::default().attempts(5).backoff(Backoff::Fixed(Duration::from_secs(10))))
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct NatsSubscriptionBuilder {
    shared: Arc<Shared>,
    plan: Plan,
}

/// What a consumer is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) consumer: String,
    pub(super) topics: String,
    pub(super) retry: RetryPolicy,
    pub(super) ack_wait: Duration,
    prefetch: usize,
    max_ack_pending: u32,
    from_now: bool,
}

impl NatsSubscriptionBuilder {
    pub(super) fn new(shared: Arc<Shared>, consumer: String) -> Self {
        let backoff = Backoff::Exponential { first: Duration::from_secs(1), max: Duration::from_secs(600) };
        let plan = Plan {
            consumer,
            topics: ">".to_owned(),
            retry: RetryPolicy::default().attempts(12).backoff(backoff),
            ack_wait: Duration::from_secs(30),
            prefetch: 64,
            max_ack_pending: 1_000,
            from_now: false,
        };
        Self { shared, plan }
    }

    /// Which topics it gets: `*` stands for one word between dots, a final `>` for all that follow. Default all.
    ///
    /// Dead letters are no events of these topics; `dead.billing` as the topic gets those of the consumer `billing`.
    pub fn topics(mut self, topics: impl Into<String>) -> Self {
        self.plan.topics = topics.into();
        self
    }

    /// A new consumer gets what is published from now on. By default it gets everything that the stream still has.
    pub fn from_now(mut self) -> Self {
        self.plan.from_now = true;
        self
    }

    /// How many times an event is delivered at most, and how long after a refusal it comes again. Default: 12 times, 1 s to 10 min with
    /// full jitter.
    ///
    /// The server counts deliveries, also those that were prefetched and given back when a subscription stopped. What has used up its
    /// deliveries goes to the dead letters.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.plan.retry = retry;
        self
    }

    /// After so long without an answer the server takes it that the subscriber is dead, and delivers the event again. Longer than an event
    /// takes to be handled, and waits in the prefetch before. Default 30 s.
    pub fn ack_wait(mut self, wait: Duration) -> Self {
        self.plan.ack_wait = wait;
        self
    }

    /// How many events this subscription has at most that were not handed out yet. Default 64.
    pub fn prefetch(mut self, events: usize) -> Self {
        self.plan.prefetch = events;
        self
    }

    /// How many events all subscriptions of this consumer together may have without having acknowledged them. Default 1,000.
    pub fn max_ack_pending(mut self, events: u32) -> Self {
        self.plan.max_ack_pending = events;
        self
    }

    /// Makes the consumer, or under [`Topology::Check`] looks whether it is there and its dead letters would be stored, and begins.
    ///
    /// # Errors
    /// An option cannot work, the server is away, or the stream or the consumer is missing under [`Topology::Check`].
    pub async fn open(self) -> Result<NatsSubscription, ConnectError> {
        let Self { shared, plan } = self;
        let invalid = |option, value: String, rule| Err(options::invalid(option, value, rule));
        if !subject::is_name(&plan.consumer) {
            return invalid(
                "the consumer's name",
                format!("{:?}", plan.consumer),
                "it must be a word without blanks, `.`, `*`, `>`, `/` and `\\`",
            );
        }
        if !subject::is_pattern(&plan.topics) {
            return invalid(
                "`topics`",
                format!("{:?}", plan.topics),
                "it must be words between single dots, `*` for one word, a final `>` for the rest",
            );
        }
        if plan.prefetch == 0 || plan.max_ack_pending == 0 {
            return invalid("`prefetch` or `max_ack_pending`", "0".to_owned(), "nothing would ever be delivered");
        }
        if plan.ack_wait < Duration::from_millis(100) {
            return invalid("`ack_wait`", format!("{:?}", plan.ack_wait), "it must be at least 100 ms");
        }
        let for_start = |failure: Failure| failure.for_start(NAME, shared.link.address());
        let dead_letters = shared.settings.subjects.dead_letters_of(&plan.consumer);
        super::stream::prepare_for(&shared.link, &shared.settings, &dead_letters).await.map_err(for_start)?;
        let pull = plan.open(&shared, Opening::First).await.map_err(for_start)?;
        Ok(NatsSubscription::over(Arc::clone(&shared), plan, pull))
    }
}

impl Plan {
    /// Begins to get events.
    pub(super) async fn open(&self, shared: &Arc<Shared>, state: Opening) -> Result<Pull, Failure> {
        let (link, stream) = (&shared.link, &shared.settings.stream);
        link.revive().await;
        match shared.settings.topology {
            Topology::Create => self.create(shared).await?,
            Topology::Check => self.look(shared).await?,
        };
        let opened = link.ask(Pull::open(shared, &self.consumer, self.prefetch, state)).await?;
        opened.map_err(|error| link.away(&format!("consumer `{}` of stream `{stream}` cannot be asked: {error}", self.consumer)))
    }

    async fn create(&self, shared: &Shared) -> Result<Consumer<Config>, Failure> {
        let jetstream = shared.link.jetstream();
        let request = jetstream.create_consumer_on_stream(self.config(shared), &shared.settings.stream);
        match shared.link.ask(request).await? {
            Ok(consumer) => Ok(consumer),
            Err(error) => Err(self.failed(shared, &error)),
        }
    }

    async fn look(&self, shared: &Shared) -> Result<Consumer<Config>, Failure> {
        let jetstream = shared.link.jetstream();
        let request = jetstream.get_consumer_from_stream(&self.consumer, &shared.settings.stream);
        match shared.link.ask(request).await? {
            Ok(consumer) => Ok(consumer),
            Err(error) => Err(self.failed(shared, &error)),
        }
    }

    fn config(&self, shared: &Shared) -> Config {
        Config {
            durable_name: Some(self.consumer.clone()),
            description: Some("a subscriber to domain events".to_owned()),
            deliver_policy: if self.from_now { DeliverPolicy::New } else { DeliverPolicy::All },
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            // The server would only stop to deliver, and nobody would hear of it; we count ourselves, and then make a dead letter.
            max_deliver: -1,
            max_ack_pending: i64::from(self.max_ack_pending),
            filter_subject: shared.settings.subjects.of_pattern(&self.topics),
            ..Config::default()
        }
    }

    fn failed(&self, shared: &Shared, error: &ConsumerError) -> Failure {
        let (consumer, stream, link) = (&self.consumer, &shared.settings.stream, &shared.link);
        match error.kind() {
            ConsumerErrorKind::JetStream(said) => match said.error_code() {
                ErrorCode::CONSUMER_NOT_FOUND => Failure::hopeless(format!(
                    "stream `{stream}` of {NAME} at {} has no consumer `{consumer}`; make it, or choose `Topology::Create`",
                    link.address()
                )),
                ErrorCode::STREAM_NOT_FOUND => Failure::hopeless(format!(
                    "{NAME} at {} has no stream `{stream}`; make it, or choose `Topology::Create`",
                    link.address()
                )),
                _ if said.code() < 500 => Failure::hopeless(format!(
                    "consumer `{consumer}` of stream `{stream}` of {NAME} at {} cannot be made as needed: {said}; \
                     delete it, or give this subscription another name",
                    link.address()
                )),
                _ => link.away(&format!("consumer `{consumer}` of stream `{stream}` cannot be made: {said}")),
            },
            ConsumerErrorKind::InvalidConsumerType => Failure::hopeless(format!(
                "consumer `{consumer}` of stream `{stream}` is none that events can be pulled from; give this subscription another name"
            )),
            _ => link.away(&format!("consumer `{consumer}` of stream `{stream}` cannot be made: {error}")),
        }
    }
}
