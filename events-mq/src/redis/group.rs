//! A consumer group: what its subscriptions get, how much at once, and when it gives up.

use super::subscription::RedisStreamsSubscription;
use super::topics::{self, Pattern};
use super::transport::{Shared, missing};
use super::{NAME, said};
use crate::receiving::Opening;
use crate::{ConnectError, Topology, failure::Failure, options};
use ::redis::{Pipeline, Value};
use events_core::{Backoff, RetryPolicy};
use std::{sync::Arc, time::Duration};

/// Options of a [`RedisStreamsSubscription`]; begin with [`RedisStreams::subscribe`](super::RedisStreams::subscribe).
///
/// ```no_run
/// # async fn example(redis: events_mq::redis::RedisStreams) -> Result<(), events_mq::ConnectError> {
/// use events_core::{Backoff, RetryPolicy};
/// use std::time::Duration;
///
/// let subscription = redis
///     .subscribe("billing")
///     .topics("order.*")
///     .retry(RetryPolicy::default().attempts(5).backoff(Backoff::Fixed(Duration::from_secs(10))))
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct RedisStreamsSubscriptionBuilder {
    shared: Arc<Shared>,
    plan: Plan,
    topics: String,
}

/// What a subscription is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) group: String,
    pub(super) stream: String,
    /// Where its dead letters are.
    pub(super) dead_letters: String,
    pub(super) topics: Pattern,
    pub(super) retry: RetryPolicy,
    pub(super) ack_wait: Duration,
    pub(super) prefetch: usize,
    pub(super) max_ack_pending: u64,
    from_now: bool,
}

impl RedisStreamsSubscriptionBuilder {
    pub(super) fn new(shared: Arc<Shared>, group: String) -> Self {
        let stream = shared.settings().stream.clone();
        let backoff = Backoff::Exponential { first: Duration::from_secs(1), max: Duration::from_secs(600) };
        let plan = Plan {
            dead_letters: format!("{stream}.dead.{group}"),
            stream,
            group,
            topics: Pattern::all(),
            retry: RetryPolicy::default().attempts(12).backoff(backoff),
            ack_wait: Duration::from_secs(30),
            prefetch: 64,
            max_ack_pending: 1_000,
            from_now: false,
        };
        Self { shared, plan, topics: ">".to_owned() }
    }

    /// Which topics it gets: `*` stands for one word between dots, a final `>` for all that follow. Default all.
    ///
    /// Redis gives a group every entry: those of other topics are acknowledged and skipped here. So all subscriptions of one name must ask
    /// for the same topics.
    pub fn topics(mut self, topics: impl Into<String>) -> Self {
        self.topics = topics.into();
        self
    }

    /// A new group gets what is sent from now on. By default it gets everything that the stream still has.
    pub fn from_now(mut self) -> Self {
        self.plan.from_now = true;
        self
    }

    /// How many times an event is delivered at most, and how long after a refusal it comes again. Default: 12 times, 1 s to 10 min with
    /// full jitter.
    ///
    /// The server counts deliveries, also to those who died before they handed an event out; those that were given back when a subscription
    /// stopped do not count. What has used up its deliveries goes to the dead letters.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.plan.retry = retry;
        self
    }

    /// After so long without an answer a subscriber is taken for dead, and another one of its name gets the event. Longer than an event
    /// takes to be handled, and waits in the prefetch before. Default 30 s.
    pub fn ack_wait(mut self, wait: Duration) -> Self {
        self.plan.ack_wait = wait;
        self
    }

    /// How many new events this subscription has at most that were not handed out yet, and as many that come again. Default 64.
    pub fn prefetch(mut self, events: usize) -> Self {
        self.plan.prefetch = events;
        self
    }

    /// How many events all subscriptions of this group together may have without having acknowledged them, with those that wait to come
    /// again: then nothing new is read. Each subscription may go over it by its prefetch. Default 1,000.
    pub fn max_ack_pending(mut self, events: u32) -> Self {
        self.plan.max_ack_pending = events.into();
        self
    }

    /// Makes the group, or under [`Topology::Check`] looks whether it and the stream for its dead letters are there, and begins.
    ///
    /// # Errors
    /// An option cannot work, the server is away, this user may not do what is needed, or something is missing under [`Topology::Check`].
    pub async fn open(self) -> Result<RedisStreamsSubscription, ConnectError> {
        let Self { shared, mut plan, topics } = self;
        let invalid = |option, value: String, rule| Err(options::invalid(option, value, rule));
        if !topics::is_name(&plan.group) {
            return invalid("the group's name", format!("{:?}", plan.group), "it must be a word without blanks");
        }
        match Pattern::parse(&topics) {
            Some(pattern) => plan.topics = pattern,
            None => {
                let rule = "it must be words between single dots, `*` for one word, a final `>` for the rest";
                return invalid("`topics`", format!("{topics:?}"), rule);
            }
        }
        if plan.prefetch == 0 || plan.max_ack_pending == 0 {
            return invalid("`prefetch` or `max_ack_pending`", "0".to_owned(), "nothing would ever be delivered");
        }
        if plan.ack_wait < Duration::from_millis(100) {
            return invalid("`ack_wait`", format!("{:?}", plan.ack_wait), "it must be at least 100 ms");
        }
        let address = shared.link.address().to_owned();
        RedisStreamsSubscription::open(shared, plan).await.map_err(|failure| failure.for_start(NAME, &address))
    }
}

impl Plan {
    /// Makes the group, or looks for it.
    pub(super) async fn prepare(&self, shared: &Shared, opening: Opening) -> Result<(), Failure> {
        shared.look().await?;
        match shared.settings().topology {
            Topology::Create => self.create(shared, opening).await,
            Topology::Check => self.look(shared).await,
        }
    }

    async fn create(&self, shared: &Shared, opening: Opening) -> Result<(), Failure> {
        // A group that was there and is gone must not miss what was sent meanwhile; rather it gets everything.
        let from = if self.from_now && opening == Opening::First { "$" } else { "0" };
        let mut create = Pipeline::new();
        create.cmd("XGROUP").arg("CREATE").arg(&self.stream).arg(&self.group).arg(from).arg("MKSTREAM");
        match shared.link.ask(&create).await?.pop().unwrap_or_default() {
            // It is there already.
            Value::ServerError(error) if error.code() == "BUSYGROUP" => Ok(()),
            reply => said::granted(shared.link.address(), &self.doing("making", "XGROUP CREATE"), reply).map(drop),
        }
    }

    async fn look(&self, shared: &Shared) -> Result<(), Failure> {
        let (stream, group, address) = (&self.stream, &self.group, shared.link.address());
        let mut questions = Pipeline::new();
        questions.cmd("XINFO").arg("GROUPS").arg(stream).cmd("TYPE").arg(&self.dead_letters);
        let mut replies = shared.link.ask(&questions).await?.into_iter();
        let groups = said::granted(address, &self.doing("looking at", "XINFO GROUPS"), replies.next().unwrap_or_default())?;
        if !said::list(groups).into_iter().any(|it| said::property(&said::list(it), "name").and_then(said::text) == Some(group)) {
            return Err(Failure::hopeless(format!(
                "stream `{stream}` of {NAME} at {address} has no group `{group}`; make it (`XGROUP CREATE {stream} {group} 0`), or choose \
                 `Topology::Create`"
            )));
        }
        let letters = said::granted(address, &self.doing("looking at the dead letters of", "TYPE"), replies.next().unwrap_or_default())?;
        if said::text(&letters) == Some("stream") { Ok(()) } else { Err(missing(&self.dead_letters, address)) }
    }

    /// For errors.
    pub(super) fn doing(&self, what: &str, command: &str) -> String {
        format!("{what} group `{}` of stream `{}` (`{command}`)", self.group, self.stream)
    }
}
