//! What the relay needs of a database. Stores know no handler and no transport.

use crate::{BoxFuture, DeliveryError, Envelope, Error, EventId, Inbox, ProcessReport, Resolution, TransactionId};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{any::Any, fmt, sync::Arc, time::Duration};
use time::OffsetDateTime;
use uuid::Uuid;

/// Identifies one delivery: one event on its way to one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub Uuid);

impl DeliveryId {
    /// A fresh id; a UUIDv7, made by the client so that nothing has to be returned by the INSERT.
    #[must_use]
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of the delivery of `event` to the target with this number, counted from zero.
    pub(crate) fn of(event: EventId, number: usize) -> Self {
        let (Self(first), _) = event.deliveries();
        Self(Uuid::from_u128(first.as_u128() | number as u128))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Proves who holds a lease. Every claim makes a fresh one, so a late settlement of an old claim touches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseToken(pub Uuid);

impl LeaseToken {
    /// A fresh token.
    #[must_use]
    pub fn fresh() -> Self {
        Self(Uuid::new_v4())
    }
}

/// The right to deliver and settle one delivery, until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The delivery.
    pub id: DeliveryId,
    /// The claim.
    pub token: LeaseToken,
}

/// One event on its way to one target, leased to this process.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The lease under which it may be delivered and settled.
    pub lease: Lease,
    /// A handler's name, or `transport:` and a transport's name.
    pub target: Arc<str>,
    /// The event.
    pub envelope: Arc<Envelope>,
    /// How many attempts have failed so far.
    pub failed: u32,
    /// How many leases ran out before anything was settled, because a process died or hung.
    pub abandoned: u32,
    /// What went wrong so far.
    pub failures: Vec<Failure>,
}

/// One failed attempt, as the history of a delivery keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which attempt, counted from 1. Zero: one that began, of a handler that is called at most once; nobody has written down how it ended.
    pub attempt: u32,
    /// When, by the clock of the process that tried.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The error and its sources.
    pub error: String,
}

/// The number of an attempt that began, as long as nobody has written down how it ended.
const OPEN: u32 = 0;

impl Failure {
    fn is_open(&self) -> bool {
        self.attempt == OPEN
    }
}

/// How many failures a delivery remembers: the first one and the latest.
const MAX_FAILURES: usize = 20;

impl Delivery {
    /// Whether its last attempt began, and nobody has written down how it ended.
    #[must_use]
    pub(crate) fn has_begun(&self) -> bool {
        self.failures.last().is_some_and(Failure::is_open)
    }

    /// The history of this delivery with one more failure.
    #[must_use]
    pub(crate) fn failures_with(&self, error: String) -> Vec<Failure> {
        self.history_with(self.failed + 1, error)
    }

    /// The history of this delivery, and that an attempt begins.
    #[must_use]
    pub(crate) fn failures_with_open(&self, error: String) -> Vec<Failure> {
        self.history_with(OPEN, error)
    }

    fn history_with(&self, attempt: u32, error: String) -> Vec<Failure> {
        let mut failures = self.failures.clone();
        // How an attempt ended replaces that it began.
        failures.retain(|failure| !failure.is_open());
        if failures.len() >= MAX_FAILURES {
            failures.remove(1);
        }
        failures.push(Failure { attempt, at: OffsetDateTime::now_utc(), error: storable(error) });
        failures
    }
}

/// How long the text of an error may be that is kept with a delivery, in bytes.
const MAX_ERROR: usize = 8 * 1024;

/// An error's text as every database takes it: not too long, and without NUL, which PostgreSQL cannot store. A settlement that
/// cannot be written would hold up all others.
fn storable(mut error: String) -> String {
    if error.len() > MAX_ERROR {
        error.truncate(error.floor_char_boundary(MAX_ERROR));
        error.push('…');
    }
    if error.contains('\0') { error.replace('\0', "\u{fffd}") } else { error }
}

/// What the scanner asks a store for.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// Whose deliveries, and how many of each. A process asks only for targets it has.
    pub targets: Vec<TargetRequest>,
    /// The claim's token.
    pub token: LeaseToken,
    /// How long the lease lasts, by the database's clock.
    pub lease: Duration,
}

/// How many deliveries of one target to lease.
#[derive(Clone, Debug)]
pub struct TargetRequest {
    /// The target's name.
    pub name: Arc<str>,
    /// At most so many.
    pub limit: u32,
    /// Only those that became due within the last so long, by the database's clock; `None` for all that are due. A hint: what makes a look
    /// at everything slow lies behind. Stores that are never slowed down by what they have deleted need not heed it, and must not where a
    /// test moves their clock.
    pub within: Option<Duration>,
}

/// What a store leased.
#[derive(Debug, Default)]
pub struct Leased {
    /// Deliveries, oldest first.
    pub deliveries: Vec<Delivery>,
    /// Rows that are leased but cannot be read; they go to the dead letters.
    pub unreadable: Vec<Unreadable>,
}

/// A row whose columns do not make an envelope.
#[derive(Debug)]
pub struct Unreadable {
    /// Its lease.
    pub lease: Lease,
    /// Its target.
    pub target: Arc<str>,
    /// Its ordering key.
    pub key: Option<String>,
    /// Why it cannot be read.
    pub error: String,
}

/// What became of a delivery, for the store to write down.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The lease; the store changes nothing if it was lost.
    pub lease: Lease,
    /// The target, to free what waits behind the same key.
    pub target: Arc<str>,
    /// The ordering key.
    pub key: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a delivery.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The target has it: the row is deleted, or archived.
    Delivered,
    /// An attempt failed; deliverable again after `delay`.
    Retry {
        /// From now, by the database's clock.
        delay: Duration,
        /// All failures so far, this one last.
        failures: Vec<Failure>,
    },
    /// Not attempted, or the target is away: deliverable again after `delay`, no attempt burned.
    HandBack {
        /// From now, by the database's clock.
        delay: Duration,
    },
    /// To the dead letters.
    Dead {
        /// Why.
        reason: DeadReason,
        /// All failures so far.
        failures: Vec<Failure>,
        /// Whether what waits for the same key goes on waiting until somebody redrives or discards the dead letter; never without a key.
        blocks_key: bool,
    },
}

/// Why a delivery went to the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadReason {
    /// All attempts failed.
    Exhausted,
    /// The target said that no retry can help.
    Terminal,
    /// The row or its payload cannot be read.
    Undecodable,
    /// Its lease ran out again and again: it probably kills or hangs the process.
    Abandoned,
    /// The call of a handler that is called at most once began, and nobody knows how it ended.
    Interrupted,
}

impl DeadReason {
    /// All of them; each is a label of a metric.
    pub(crate) const ALL: [Self; 5] = [Self::Exhausted, Self::Terminal, Self::Undecodable, Self::Abandoned, Self::Interrupted];

    /// The word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Terminal => "terminal",
            Self::Undecodable => "undecodable",
            Self::Abandoned => "abandoned",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a store did with a batch of settlements.
#[derive(Debug, Default)]
pub struct SettleReport {
    /// Deliveries whose lease was lost; nothing was changed for them.
    pub lost: Vec<DeliveryId>,
    /// How many deliveries became deliverable because their key was freed.
    pub freed: u64,
}

/// What a sweep over some keys did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many deliveries became deliverable.
    pub freed: u64,
    /// Whether these were the last keys; the next sweep begins with the first.
    pub done: bool,
}

/// What became of a handler that ran in its own unit of work.
#[derive(Debug)]
pub enum TransactOutcome {
    /// The handler's writes, its events and the settlement were committed together. `freed` as in [`SettleReport`].
    Settled {
        /// How many deliveries became deliverable because their key was freed.
        freed: u64,
    },
    /// The lease was lost, so the handler's work was rolled back.
    LeaseLost,
    /// The handler or the database failed; its work was rolled back.
    Failed(DeliveryError),
    /// The connection was lost during COMMIT: the lease decides.
    Unknown,
}

/// A handler that runs inside a unit of work which the store begins and commits.
pub trait InUnitOfWork: Send + Sync {
    /// Runs the handler in `unit`.
    fn call<'a>(&'a self, unit: &'a mut (dyn Any + Send + 'static)) -> BoxFuture<'a, Result<(), DeliveryError>>;
}

/// How many deliveries of a target wait here that no handler or transport of this process takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    /// The target that nobody has.
    pub target: String,
    /// How many wait for it, not counting those that wait for an earlier one of their key.
    pub waiting: u64,
}

/// The deliveries of one database. Implemented by `events_sqlx::Outbox`; tests wrap it to make it fail.
#[async_trait]
pub trait OutboxStore: Inbox {
    /// Leases due deliveries: in one atomic statement per target, heads of their keys only, with a fresh token.
    ///
    /// # Errors
    /// The database failed; nothing is leased, or the leases run out by themselves.
    async fn lease(&self, request: &LeaseRequest) -> Result<Leased, Error>;

    /// Writes down what became of deliveries, all or nothing; each on condition of its id and token.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    async fn settle(&self, settlements: &[Settlement]) -> Result<SettleReport, Error>;

    /// Writes `failures` into the history of a delivery that stays leased. Returns whether the lease held; if not, nothing was changed.
    ///
    /// # Errors
    /// The database failed; it may be written or not.
    async fn remember(&self, lease: Lease, failures: &[Failure]) -> Result<bool, Error>;

    /// Extends leases to `lease` from now and returns those that were lost.
    ///
    /// # Errors
    /// The database failed; some leases may have been extended.
    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<DeliveryId>, Error>;

    /// Runs a handler in a unit of work of its own, in which the delivery is settled too.
    async fn transact(&self, delivery: &Delivery, handler: &dyn InUnitOfWork) -> TransactOutcome;

    /// Which outbox this is: a text that all processes on it get, and nobody else.
    ///
    /// # Errors
    /// The database failed.
    async fn identity(&self) -> Result<String, Error>;

    /// What became of a transaction whose events are prepared at a broker. The first time that there is no trace of it is noted. When
    /// `lifetime` has passed since then, by the database's clock, it is given up: it can never commit.
    ///
    /// # Errors
    /// The database failed, or the transaction is just about to commit.
    async fn resolve(&self, transaction: TransactionId, lifetime: Duration) -> Result<Resolution, Error>;

    /// Removes up to `limit` rows that are not needed any more, each kind; returns how many it removed.
    ///
    /// # Errors
    /// The database failed.
    async fn purge(&self, limit: u32) -> Result<u64, Error>;

    /// Looks at the next `limit` keys, from where the last sweep stopped: forgets those that were idle for long, and makes deliveries
    /// deliverable that wait for nothing. Settling frees keys by itself: this finds what somebody deleted by hand.
    ///
    /// # Errors
    /// The database failed.
    async fn sweep(&self, limit: u32) -> Result<Swept, Error>;

    /// Gives waiting deliveries and dead letters of renamed targets their present name, so that they stay in one line with what is published
    /// under it; each pair is an earlier name and the present one. Returns how many were renamed.
    ///
    /// # Errors
    /// The database failed.
    async fn adopt(&self, renamed: &[(Arc<str>, Arc<str>)]) -> Result<u64, Error>;

    /// Counts waiting deliveries whose target is not in `known`.
    ///
    /// # Errors
    /// The database failed.
    async fn orphans(&self, known: &[Arc<str>]) -> Result<Vec<Orphans>, Error>;

    /// Takes the lead of `name` if it is free, has run out or is held by `token`, for `lease` from now by the database's clock; returns
    /// whether `token` leads. One atomic statement.
    ///
    /// # Errors
    /// The database failed; `token` may lead nevertheless.
    async fn lead(&self, name: &str, token: LeaseToken, lease: Duration) -> Result<bool, Error>;

    /// Gives up the lead of `name` if `token` has it.
    ///
    /// # Errors
    /// The database failed; the lead runs out by itself.
    async fn resign(&self, name: &str, token: LeaseToken) -> Result<(), Error>;

    /// Writes down how a process is doing, in place of what it said before.
    ///
    /// # Errors
    /// The database failed.
    async fn check_in(&self, process: Uuid, report: &ProcessReport) -> Result<(), Error>;

    /// Crosses a process off the list.
    ///
    /// # Errors
    /// The database failed; the process is forgotten after a while.
    async fn check_out(&self, process: Uuid) -> Result<(), Error>;

    /// Tells the processes that [`listen`](Self::listen) to look. Without a way to do that it does nothing: polling is the truth.
    ///
    /// # Errors
    /// The database failed; the others find out by polling.
    async fn announce(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Calls `wake` as soon as it listens, and then whenever another process announces something; ends when it cannot go on. Without a
    /// way to listen it never ends and never calls.
    ///
    /// # Errors
    /// The database failed; the caller tries again.
    async fn listen(&self, wake: Arc<dyn Fn() + Send + Sync>) -> Result<(), Error> {
        let _ = wake;
        std::future::pending().await
    }
}
