//! A consumer group: what it gets, how much at once, and when it gives up.

use super::client::{millis, unusable};
use super::reader::{Reader, SharedBooks};
use super::subscription::KafkaSubscription;
use super::transport::Shared;
use super::{NAME, topic};
use crate::receiving::Opening;
use crate::{ConnectError, Topology, failure::Failure, options};
use events_core::{Backoff, RetryPolicy};
use rdkafka::ClientConfig;
use std::{sync::Arc, time::Duration};

/// What brokers have as their limits for the time after which a member is dead, by default.
const SHORTEST_SESSION: Duration = Duration::from_secs(6);
const LONGEST_SESSION: Duration = Duration::from_secs(45);

/// How long a broker may take to answer with messages.
const FETCH: Duration = Duration::from_secs(60);

/// Options of a [`KafkaSubscription`]; begin with [`Kafka::subscribe`](super::Kafka::subscribe).
///
/// ```no_run
/// # async fn example(kafka: events_mq::kafka::Kafka) -> Result<(), events_mq::ConnectError> {
/// use events_core::{Backoff, RetryPolicy};
/// use std::time::Duration;
///
/// let subscription = kafka
///     .subscribe("billing")
///     .topics("order.*")
///     .retry(RetryPolicy::default().attempts(5).backoff(Backoff::Fixed(Duration::from_secs(10))))
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct KafkaSubscriptionBuilder {
    shared: Arc<Shared>,
    plan: Plan,
}

/// What a subscriber is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) group: String,
    pub(super) topics: String,
    pub(super) retry: RetryPolicy,
    ack_wait: Duration,
    prefetch: usize,
    pub(super) max_unanswered: usize,
    discover_every: Duration,
    pub(super) from_now: bool,
}

impl KafkaSubscriptionBuilder {
    pub(super) fn new(shared: Arc<Shared>, group: String) -> Self {
        let backoff = Backoff::Exponential { first: Duration::from_secs(1), max: Duration::from_secs(600) };
        let plan = Plan {
            group,
            topics: ">".to_owned(),
            retry: RetryPolicy::default().attempts(12).backoff(backoff),
            ack_wait: Duration::from_secs(30),
            prefetch: 1_000,
            max_unanswered: 1_000,
            discover_every: Duration::from_secs(5),
            from_now: false,
        };
        Self { shared, plan }
    }

    /// Which topics it gets: `*` stands for one word between dots, a final `>` for all that follow. Default all below the prefix.
    ///
    /// Dead letters are no events of these topics; `dead.billing` as the topic gets those of the group `billing`.
    pub fn topics(mut self, topics: impl Into<String>) -> Self {
        self.plan.topics = topics.into();
        self
    }

    /// A new group gets what is published from now on. By default it gets everything that the topics still have.
    pub fn from_now(mut self) -> Self {
        self.plan.from_now = true;
        self
    }

    /// How many times an event is delivered at most, and how long after a refusal it comes again. Default: 12 times, 1 s to 10 min with
    /// full jitter.
    ///
    /// Kafka counts no deliveries; the subscriber does, in memory. What has used up its deliveries goes to the dead letters.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.plan.retry = retry;
        self
    }

    /// After how long without a call of [`next`](events_core::Subscription::next) the group takes it that the subscriber is dead, and gives
    /// its partitions to others. Default 30 s. Longer than an event takes to be handled, if events are handled one by one.
    ///
    /// A process that dies is noticed after so long too, but not before 6 s nor after more than 45 s, which are the limits of most brokers.
    pub fn ack_wait(mut self, wait: Duration) -> Self {
        self.plan.ack_wait = wait;
        self
    }

    /// How many events of a partition are fetched before somebody asks for them. Default 1,000; at most 16 MiB in all.
    pub fn prefetch(mut self, events: usize) -> Self {
        self.plan.prefetch = events;
        self
    }

    /// How many events of a partition may be without an answer: handed out, refused and waiting, or waiting behind one of their key. Then
    /// nothing more is read from that partition until half of them are answered. Default 1,000.
    pub fn max_unanswered(mut self, events: usize) -> Self {
        self.plan.max_unanswered = events;
        self
    }

    /// How often it looks for new topics, and for new partitions. Default 5 s.
    pub fn discover_every(mut self, pause: Duration) -> Self {
        self.plan.discover_every = pause;
        self
    }

    /// Joins the group; under [`Topology::Check`] looks whether its dead letters would be stored. Topics need not be there yet.
    ///
    /// # Errors
    /// An option cannot work, no broker answers, or the topic for dead letters is missing under [`Topology::Check`].
    pub async fn open(self) -> Result<KafkaSubscription, ConnectError> {
        let Self { shared, plan } = self;
        let invalid = |option, value: String, rule| Err(options::invalid(option, value, rule));
        // Its dead letters have a topic of that name.
        if !topic::is_name(&plan.group) || plan.group.len() > 100 {
            return invalid(
                "the group's name",
                format!("{:?}", plan.group),
                "it must be letters and digits of ASCII, `.`, `_` and `-`, at most 100",
            );
        }
        if !topic::is_pattern(&plan.topics) {
            return invalid(
                "`topics`",
                format!("{:?}", plan.topics),
                "it must be words of ASCII letters, digits, `_` and `-` between single dots, `*` for one word, a final `>` for the rest",
            );
        }
        if plan.prefetch == 0 || plan.max_unanswered == 0 {
            return invalid("`prefetch` or `max_unanswered`", "0".to_owned(), "nothing would ever be delivered");
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(86_400)).contains(&plan.ack_wait) {
            return invalid("`ack_wait`", format!("{:?}", plan.ack_wait), "it must be 100 ms to 1 day");
        }
        if !(Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(&plan.discover_every) {
            return invalid("`discover_every`", format!("{:?}", plan.discover_every), "it must be 10 ms to 1 hour");
        }
        let for_start = |failure: Failure| shared.for_start(failure);
        match shared.settings.topology {
            // Made when there is a dead letter.
            Topology::Create => shared.reach(shared.settings.connect_timeout).await.map_err(for_start)?,
            Topology::Check => shared.prepare(&shared.settings.topics.dead_letters_of(&plan.group)).await.map_err(for_start)?,
        }
        let books = SharedBooks::default();
        let reader = plan.open(&shared, &books, Opening::First).await.map_err(for_start)?;
        Ok(KafkaSubscription::over(Arc::clone(&shared), plan, books, reader))
    }
}

impl Plan {
    /// Begins to get events.
    pub(super) async fn open(&self, shared: &Arc<Shared>, books: &SharedBooks, opening: Opening) -> Result<Reader, Failure> {
        let settings = &shared.settings;
        let topics = settings.topics.of_pattern(&self.topics);
        let config = self.config(shared).map_err(|error| Failure::passing(error.to_string()))?;
        let reader = Reader::open(&config, settings, books.clone(), self.max_unanswered)
            .map_err(|error| Failure::passing(unusable(settings, &error).to_string()))?;
        if self.from_now && opening == Opening::First {
            reader.begin_now(self.clone(), settings).await?;
        }
        match reader.subscribe(&topics) {
            Ok(()) => Ok(reader),
            Err(error) => Err(Failure::hopeless(format!("group `{}` of {NAME} cannot subscribe to `{topics}`: {error}", self.group))),
        }
    }

    fn config(&self, shared: &Shared) -> Result<ClientConfig, ConnectError> {
        let settings = &shared.settings;
        let mut config = settings.client()?;
        let session = self.ack_wait.clamp(SHORTEST_SESSION, LONGEST_SESSION);
        config
            .set("group.id", &self.group)
            .set("session.timeout.ms", millis(session))
            .set("heartbeat.interval.ms", millis(session / 10))
            // The library leaves the group if nobody asks it for so long.
            .set("max.poll.interval.ms", millis(self.ack_wait.max(session)))
            // Somebody who comes or goes, or a new topic, takes nothing away from those who keep what they have.
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("topic.metadata.refresh.interval.ms", millis(self.discover_every))
            .set("topic.blacklist", settings.topics.hidden_from(&self.topics))
            .set("auto.offset.reset", "earliest")
            // It tells the broker what we say is done, twice a second and when it leaves.
            .set("enable.auto.commit", "true")
            .set("enable.auto.offset.store", "false")
            .set("auto.commit.interval.ms", "500")
            .set("queued.min.messages", self.prefetch.to_string())
            .set("queued.max.messages.kbytes", "16384")
            // By default it pauses for a second when it has fetched so much.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "100")
            .set("fetch.wait.max.ms", "250")
            // Small portions, and patience: a slow broker that was asked for much would be given up before it answers, and asked again.
            .set("fetch.max.bytes", settings.max_message_bytes.max(1024 * 1024).to_string())
            .set("message.max.bytes", settings.max_message_bytes.to_string())
            .set("socket.timeout.ms", millis(FETCH.max(settings.ack_timeout)))
            .set("isolation.level", "read_committed");
        Ok(config)
    }
}
