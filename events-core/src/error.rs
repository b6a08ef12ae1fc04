//! What can go wrong for the caller.

use crate::BuildError;
use std::{borrow::Cow, error::Error as StdError};

/// Any error, boxed.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What can go wrong while publishing, committing or operating the outbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `publish` was called where no unit of work is active; a spawned task does not inherit one.
    #[error(
        "`{topic}` was published outside a unit of work; call `publish` on the task that runs `UnitOfWork::run` (a spawned task does not inherit it), \
         or call `outbox.publish(..)` with `OutsideUnitOfWork::OwnTransaction`"
    )]
    NoUnitOfWork {
        /// Topic of the refused event.
        topic: &'static str,
    },
    /// `run` inside `run`: the inner one could not be part of the outer one's transaction.
    #[error(
        "a unit of work is already active on this task; use `uow.savepoint(..)` to be part of it or `run_independent(..)` to commit on your own"
    )]
    NestedUnitOfWork,
    /// A second writer inside a unit of work, on a database that has only one.
    #[error(
        "{database} lets one transaction write at a time, so `run_independent` inside a unit of work on the same database would wait for itself; \
         call it before or after, or use `uow.savepoint(..)`"
    )]
    SingleWriter {
        /// Name of the database system.
        database: &'static str,
    },
    /// A savepoint's future was dropped half-way; its work can be neither kept nor undone safely.
    #[error(
        "a savepoint was abandoned half-way (its future was dropped, by a timeout or `select!`); the unit of work is rolled back, nothing was committed"
    )]
    AbandonedSavepoint,
    /// The database ended the transaction by itself when a statement failed, and the caller went on nevertheless.
    #[error(
        "{database} ended this transaction when an earlier statement failed: {consequence}; no event was stored; \
         return such an error from the unit of work instead of going on"
    )]
    TransactionEnded {
        /// Name of the database system.
        database: &'static str,
        /// What became of the transaction's statements.
        consequence: &'static str,
    },
    /// The work of a unit of work took longer than it was given.
    #[error("the unit of work took longer than {limit:?} and was rolled back; nothing was committed")]
    UnitOfWorkTimeout {
        /// How long it might take.
        limit: std::time::Duration,
    },
    /// The event's `Serialize` failed.
    #[error("the event on topic `{topic}` could not be serialized")]
    Serialize {
        /// Topic of the event.
        topic: &'static str,
        /// serde's error.
        source: serde_json::Error,
    },
    /// The payload could not be encrypted before it was stored; everything was rolled back.
    #[error("the event on topic `{topic}` could not be encrypted, and nothing was committed")]
    Encrypt {
        /// Topic of the event.
        topic: String,
        /// Why.
        source: BoxError,
    },
    /// The serialized event is larger than the outbox accepts.
    #[error(
        "the event on topic `{topic}` has {size} bytes, more than the limit of {limit}; publish a reference to the data instead, \
         or raise `.max_payload(..)` on the outbox builder"
    )]
    PayloadTooLarge {
        /// Topic of the event.
        topic: &'static str,
        /// Size of the payload in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A name would not fit its column.
    #[error("the key of the event on topic `{topic}` has {size} bytes, more than the limit of 255; use a shorter key, such as an id")]
    KeyTooLong {
        /// Topic of the event.
        topic: &'static str,
        /// Size of the key in bytes.
        size: usize,
    },
    /// A key that not every database can store.
    #[error("the key of the event on topic `{topic}` contains NUL, which PostgreSQL cannot store; leave it out")]
    KeyWithNul {
        /// Topic of the event.
        topic: &'static str,
    },
    /// An event was published that the installed outbox knows no target for.
    #[error(
        "the event on topic `{topic}` version {version} is not declared to this outbox; annotate its type with `#[domain_event]` or call `.event::<E>()` on the outbox builder"
    )]
    UndeclaredEvent {
        /// Topic of the event.
        topic: String,
        /// Version of the event.
        version: u16,
    },
    /// An event of a type that this process only receives from a broker.
    #[error(
        "the event on topic `{topic}` would reach nobody: this process only receives such events; call `.transport(..)` on the outbox builder, add a handler, or call `.allow_unrouted()`"
    )]
    OnlyReceived {
        /// Topic of the event.
        topic: String,
    },
    /// `UnitOfWork::run` without an installed outbox.
    #[error("no {database} outbox is installed; call `Outbox::builder(pool).install().await` at start-up, or use `outbox.run(..)`")]
    NotInstalled {
        /// Name of the database system.
        database: &'static str,
    },
    /// A second `install()` for the same database system.
    #[error(
        "a {database} outbox is already installed; use `.install_replacing()` to take its place, or `.start()` and `outbox.run(..)` to have several"
    )]
    AlreadyInstalled {
        /// Name of the database system.
        database: &'static str,
    },
    /// The connection was lost during COMMIT: the transaction may or may not have been committed.
    ///
    /// Nothing is delivered from memory. If it was committed, the scanner delivers its events.
    #[error("the outcome of COMMIT is unknown; read your data before you repeat the work")]
    CommitUnknown {
        /// The driver's error.
        source: BoxError,
    },
    /// A `#[before_commit]` handler refused the commit; everything was rolled back.
    #[error("the handler `{handler}` refused to commit the event on topic `{topic}`")]
    BeforeCommit {
        /// Name of the handler.
        handler: &'static str,
        /// Topic of the event.
        topic: String,
        /// The handler's error.
        source: BoxError,
    },
    /// `#[before_commit]` handlers published events that caused events, without end.
    #[error("`#[before_commit]` handlers kept publishing for {rounds} rounds; the last event was on topic `{topic}`; break the cycle")]
    BeforeCommitCycle {
        /// Topic of the last event.
        topic: String,
        /// How many rounds were run.
        rounds: usize,
    },
    /// The database failed.
    #[error("the outbox failed while {doing}{cure}")]
    Store {
        /// What was being done.
        doing: Cow<'static, str>,
        /// What to do about it, where it is known; starts with `; `.
        cure: &'static str,
        /// The driver's error.
        source: BoxError,
    },
    /// A two-phase transport did not store the events; everything was rolled back.
    #[error("the events could not be prepared at `{transport}`, and nothing was committed")]
    TwoPhase {
        /// The transport.
        transport: String,
        /// Its error.
        source: BoxError,
    },
    /// A transaction went on for too long after its events had been prepared at a two-phase transport.
    #[error(
        "the transaction was not ready for COMMIT within {lifetime:?} after its events were prepared, and was rolled back; nothing was committed. \
         Look for locks it waits for, or raise `RelayOptions::transaction_lifetime`"
    )]
    TransactionTooSlow {
        /// How long it might go on.
        lifetime: std::time::Duration,
    },
    /// The transaction was given up as dead when a broker asked about it.
    #[error(
        "a broker asked about the transaction after its lifetime, and it was given up; it was rolled back, nothing was committed; repeat the unit of work"
    )]
    TransactionGivenUp,
    /// An event with a delay, for a transport that has none.
    #[error(
        "the event on topic `{topic}` has a delay, and goes to the two-phase transport `{transport}`, which delays nothing; publish it without, or send it through the outbox"
    )]
    DelayedTwoPhase {
        /// Topic of the event.
        topic: String,
        /// The transport.
        transport: String,
    },
    /// A database call took longer than allowed.
    #[error("the outbox gave up {doing} after {seconds} s; is the database overloaded or locked?")]
    Timeout {
        /// What was being done.
        doing: &'static str,
        /// The limit in seconds.
        seconds: u64,
    },
    /// A delivery to a transport or handler failed while it was sent without being stored.
    #[error("the event on topic `{topic}` was not stored, and sending it to `{target}` failed: {reason}")]
    SendNow {
        /// Topic of the event.
        topic: String,
        /// The target that failed.
        target: String,
        /// Why.
        reason: String,
    },
    /// The process cannot start like this.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Error {
    /// Takes out the error with which a `#[before_commit]` handler refused the commit, if it is an `E`.
    ///
    /// ```
    /// # use events_core::Error;
    /// # #[derive(Debug, thiserror::Error)] #[error("credit exceeded")] struct CreditExceeded;
    /// # fn f(error: Error) {
    /// match error.refusal::<CreditExceeded>() {
    ///     Ok(credit_exceeded) => println!("{credit_exceeded}"),
    ///     Err(other) => println!("{}", other.report()),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// Every other error comes back as it was.
    pub fn refusal<E: StdError + 'static>(self) -> Result<E, Self> {
        match self {
            Self::BeforeCommit { handler, topic, source } => match source.downcast::<E>() {
                Ok(refusal) => Ok(*refusal),
                Err(source) => Err(Self::BeforeCommit { handler, topic, source }),
            },
            other => Err(other),
        }
    }

    /// The error and its sources in one line, for a log.
    #[must_use]
    pub fn report(&self) -> String {
        report(self)
    }
}

/// An error and its sources in one line. Many errors print their source already; saying it twice helps nobody.
pub(crate) fn report(error: &dyn StdError) -> String {
    let mut report = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if !report.contains(&text) {
            report.push_str(": ");
            report.push_str(&text);
        }
        next = error.source();
    }
    report
}
