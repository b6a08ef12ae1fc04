//! An inbox in Redis, for handlers without a database.

use super::transport::{RedisStreams, Shared};
use super::{NAME, said};
use crate::failure::Failure;
use ::redis::{Pipeline, Value};
use async_trait::async_trait;
use events_core::{EventId, InUnitOfWork, Inbox, Receipt, ReceiveOutcome};
use std::{fmt, sync::Arc, time::Duration};

/// What stands under a receipt once its handler has succeeded; until then it is the token of who has claimed it.
const HANDLED: &str = "handled";
/// How long to wait before looking again whether somebody else's claim is over, at most.
const LOOK: Duration = Duration::from_millis(500);
/// Deletes a claim, but not that of somebody else.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Remembers in Redis which handler has handled which event: for [`Receiver`](events_core::Receiver)s, in processes without a database.
///
/// A handler claims its event (`SET .. NX`), runs, and leaves a receipt that expires. That is weaker than the inbox of a database, where the
/// receipt is in the transaction of the effect:
///
/// - A process that dies between the effect and the receipt leaves a claim. When that has run out, the handler runs **again**: at least once.
/// - What comes again after the [retention](Self::retention) has its effect again.
/// - What the server forgets (no persistence, `maxmemory-policy` other than `noeviction`, a replica that takes over) has its effect again.
/// - A handler that runs for longer than its [claim](Self::claim) may run twice at the same time.
///
/// Who comes while another one has the claim waits for it. Users need the commands `SET`, `GET`, `PTTL` and `EVAL`.
///
/// ```no_run
/// # async fn example() -> Result<(), events_core::BoxError> {
/// use events_core::Receiver;
/// use events_mq::redis::{RedisInbox, RedisStreams};
///
/// let redis = RedisStreams::connect("redis://127.0.0.1:6379").await?;
/// let subscription = redis.subscribe("mailing").topics("order.*").open().await?;
/// let receiver = Receiver::builder(RedisInbox::of(&redis)).subscribe("mailing", subscription).start()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisInbox {
    shared: Arc<Shared>,
    prefix: String,
    retention: Duration,
    claim: Duration,
}

impl RedisInbox {
    /// An inbox on the connection of `redis`. The events may come from any broker.
    #[must_use]
    pub fn of(redis: &RedisStreams) -> Self {
        let (retention, claim) = (Duration::from_secs(7 * 24 * 60 * 60), Duration::from_secs(60));
        Self { shared: redis.shared(), prefix: "events.inbox".to_owned(), retention, claim }
    }

    /// What its keys begin with. Default `events.inbox`; they go on with the handler's name and the event's id.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long it remembers, at least a millisecond. Default 7 days; keep it longer than the broker keeps events.
    #[must_use]
    pub fn retention(mut self, keep: Duration) -> Self {
        self.retention = keep;
        self
    }

    /// How long a handler may take, at least a millisecond; after a crash its event is handled again at the earliest then. Default 60 s. Keep
    /// it longer than the `timeout` of the handlers, and shorter than all attempts of the subscription together.
    #[must_use]
    pub fn claim(mut self, claim: Duration) -> Self {
        self.claim = claim;
        self
    }

    async fn ask(&self, what: &str, commands: &Pipeline) -> Result<Value, Failure> {
        let reply = self.shared.link.ask(commands).await?.pop().unwrap_or_default();
        said::granted(self.shared.link.address(), what, reply)
    }

    /// Claims a receipt; `false` if it is there already. Waits for somebody else's claim.
    async fn begin(&self, key: &str, token: &str) -> Result<bool, Failure> {
        loop {
            let mut claim = Pipeline::new();
            claim.cmd("SET").arg(key).arg(token).arg("NX").arg("PX").arg(millis(self.claim));
            if said::text(&self.ask("claiming an event (`SET`)", &claim).await?) == Some("OK") {
                return Ok(true);
            }
            let mut look = Pipeline::new();
            look.cmd("GET").arg(key);
            if said::text(&self.ask("looking for a receipt (`GET`)", &look).await?) == Some(HANDLED) {
                return Ok(false);
            }
            let mut rest = Pipeline::new();
            rest.cmd("PTTL").arg(key);
            let left = said::number(&self.ask("looking at a claim (`PTTL`)", &rest).await?).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(left.saturating_add(1)).min(LOOK)).await;
        }
    }

    async fn end(&self, key: &str) -> Result<(), Failure> {
        let mut done = Pipeline::new();
        // Whoever has the claim by now: the effect is there.
        done.cmd("SET").arg(key).arg(HANDLED).arg("PX").arg(millis(self.retention));
        self.ask("leaving a receipt (`SET`)", &done).await.map(drop)
    }

    async fn release(&self, key: &str, token: &str) {
        let mut release = Pipeline::new();
        release.cmd("EVAL").arg(RELEASE).arg(1).arg(key).arg(token);
        if let Err(failure) = self.ask("giving up a claim (`EVAL`)", &release).await {
            tracing::warn!(key, error = failure.text(), "a claim could not be given up; it runs out by itself");
        }
    }
}

impl fmt::Debug for RedisInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.shared.link.address();
        let Self { prefix, retention, claim, .. } = self;
        f.debug_struct("RedisInbox")
            .field("address", &address)
            .field("prefix", prefix)
            .field("retention", retention)
            .field("claim", claim)
            .finish()
    }
}

#[async_trait]
impl Inbox for RedisInbox {
    async fn receive(&self, receipt: &Receipt<'_>, handler: &dyn InUnitOfWork) -> ReceiveOutcome {
        let (key, token) = (format!("{}.{}.{}", self.prefix, receipt.consumer, receipt.event), EventId::now().to_string());
        match self.begin(&key, &token).await {
            Ok(true) => {}
            Ok(false) => return ReceiveOutcome::Duplicate,
            Err(failure) => return ReceiveOutcome::Failed(failure.for_delivery()),
        }
        if let Err(error) = handler.call(&mut ()).await {
            self.release(&key, &token).await;
            return ReceiveOutcome::Failed(error);
        }
        match self.end(&key).await {
            Ok(()) => ReceiveOutcome::Handled,
            Err(failure) => {
                tracing::warn!(
                    broker = NAME,
                    key,
                    error = failure.text(),
                    "an event was handled, but no receipt is left; it may be handled again"
                );
                ReceiveOutcome::Unknown
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> 1).max(1)
}
