//! What the macros make of an annotated function: a descriptor that the registry can find.

use crate::event::EventDescriptor;
use crate::extract::{Context, Requirements, UnitOfWorkArg};
use crate::{BoxError, DeadLetterPolicy, Envelope, RetryPolicy};
use std::any::{Any, TypeId, type_name};
use std::{fmt, future::Future, pin::Pin, time::Duration};

/// A boxed future, as trait objects need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a delivery failed, which decides what happens next. `?` on any error means: try again later.
///
/// ```
/// use events_core::DeliveryError;
///
/// async fn charge(cents: i64) -> Result<(), DeliveryError> {
///     if cents < 0 {
///         return Err(DeliveryError::terminal("a negative amount will stay negative"));
///     }
///     let _port: u16 = "443".parse()?; // any error: retried with backoff
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct DeliveryError {
    kind: DeliveryErrorKind,
    source: BoxError,
}

/// What the relay does about a [`DeliveryError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryErrorKind {
    /// Retry with backoff, up to the target's number of attempts. With a duration: not before it has passed.
    Retryable(Option<Duration>),
    /// No retry can help: to the dead letters at once.
    Terminal,
    /// The payload does not fit the event type: to the dead letters at once.
    Undecodable,
    /// The target as a whole is away: pause it and burn no attempt.
    Unavailable,
}

impl DeliveryError {
    /// A failure that no retry can mend; the event goes to the dead letters at once.
    pub fn terminal(source: impl Into<BoxError>) -> Self {
        Self { kind: DeliveryErrorKind::Terminal, source: source.into() }
    }

    /// The target as a whole is away (a broker that does not answer): it is paused, and no attempt is burned.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self { kind: DeliveryErrorKind::Unavailable, source: source.into() }
    }

    /// A failure to retry, but not before `delay` has passed (a `Retry-After`).
    pub fn retry_after(delay: Duration, source: impl Into<BoxError>) -> Self {
        Self { kind: DeliveryErrorKind::Retryable(Some(delay)), source: source.into() }
    }

    pub(crate) fn undecodable(source: impl Into<BoxError>) -> Self {
        Self { kind: DeliveryErrorKind::Undecodable, source: source.into() }
    }

    /// What the relay does about it.
    #[must_use]
    pub fn kind(&self) -> DeliveryErrorKind {
        self.kind
    }

    /// The error and its sources in one line, as it is stored with the delivery.
    #[must_use]
    pub fn report(&self) -> String {
        crate::error::report(&*self.source)
    }

    /// The error itself.
    #[must_use]
    pub fn into_source(self) -> BoxError {
        self.source
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report())
    }
}

// `DeliveryError` is deliberately not a `std::error::Error`: that is what lets `?` convert every other error.
impl<E: Into<BoxError>> From<E> for DeliveryError {
    fn from(source: E) -> Self {
        Self { kind: DeliveryErrorKind::Retryable(None), source: source.into() }
    }
}

/// When a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Inside the publishing unit of work, just before COMMIT; an error rolls everything back.
    BeforeCommit,
    /// After COMMIT, at least once, with retries.
    AfterCommit,
    /// After a rollback, in memory, best effort.
    AfterRollback,
    /// After either, in memory, best effort.
    AfterCompletion,
    /// When a broker delivers the event, in a unit of work with the inbox.
    Subscribe,
}

/// A handler known by its function's name: `builder.handler::<issue_ticket>()`. Written by the macros.
pub trait HandlerFn {
    /// Everything known of the handler before the first event.
    #[doc(hidden)]
    const DESCRIPTOR: HandlerDescriptor;
}

/// Not public API: the macros write it.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct HandlerDescriptor {
    pub name: &'static str,
    pub renamed_from: &'static [&'static str],
    pub phase: Phase,
    /// Of `#[subscribe]`: whose subscription it hears.
    pub group: Option<&'static str>,
    /// Of `#[subscribe]`: what tells one event from another, if that is not its id.
    pub dedupe: Option<Identity>,
    pub event: EventDescriptor,
    pub options: HandlerOptions,
    pub require: fn(&mut Requirements),
    pub call: HandlerCall,
}

inventory::collect!(&'static HandlerDescriptor);

/// What `#[after_commit(..)]` may say; `None` takes the outbox's default.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HandlerOptions {
    pub attempts: Option<u32>,
    pub backoff: Option<&'static Backoff>,
    pub timeout: Option<Duration>,
    pub concurrency: Option<usize>,
    pub dead_letters: Option<DeadLetterPolicy>,
    pub effects: Option<Effects>,
}

/// What a second call with the same event would mean.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effects {
    /// No harm.
    Idempotent,
    /// More harm than no call.
    AtMostOnce,
}

/// How long to wait between attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backoff {
    /// Doubles from `first` up to `max`, with full jitter.
    Exponential {
        /// Upper bound of the first wait.
        first: Duration,
        /// Upper bound of every wait.
        max: Duration,
    },
    /// The same wait every time.
    Fixed(Duration),
    /// One wait per failed attempt; the last one repeats.
    Schedule(&'static [Duration]),
}

/// The function behind a handler.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum HandlerCall {
    Plain(PlainCall),
    InUnitOfWork { unit: UnitOfWorkType, call: UnitCall },
}

/// What tells an event from others, as text.
#[doc(hidden)]
pub(crate) type Identity = fn(&Envelope) -> Result<String, DeliveryError>;
#[doc(hidden)]
pub(crate) type PlainCall = for<'a> fn(&'a Context<'a>) -> BoxFuture<'a, Result<(), DeliveryError>>;
#[doc(hidden)]
pub(crate) type UnitCall = for<'a> fn(&'a Context<'a>, &'a mut (dyn Any + Send + 'static)) -> BoxFuture<'a, Result<(), DeliveryError>>;

/// Which unit of work a handler takes; compared at start-up with the outbox's.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct UnitOfWorkType {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl UnitOfWorkType {
    /// The type `U`.
    #[must_use]
    pub const fn of<U: UnitOfWorkArg>() -> Self {
        Self { id: TypeId::of::<U>, name: type_name::<U> }
    }

    pub(crate) fn id(self) -> TypeId {
        (self.id)()
    }

    pub(crate) fn name(self) -> &'static str {
        (self.name)()
    }
}

/// What a handler may return: `()` or `Result<(), E>`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "return `()` or `Result<(), E>`, where `E` is an error: it implements `std::error::Error` or converts into `DeliveryError`"
)]
pub trait IntoOutcome {
    fn into_outcome(self) -> Result<(), DeliveryError>;
}

#[diagnostic::do_not_recommend]
impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), DeliveryError> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<DeliveryError>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), DeliveryError> {
        self.map_err(Into::into)
    }
}

/// What `key = field` may name. Implemented for everything that can be displayed.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "cannot be written as text",
    note = "a key is anything that implements `Display`; implement it, or write an expression such as `key = self.id.0`"
)]
pub trait OrderingKey {
    fn ordering_key(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: fmt::Display + ?Sized> OrderingKey for T {
    fn ordering_key(&self) -> String {
        self.to_string()
    }
}

impl HandlerDescriptor {
    /// Whether a call that begins is written down first, and never repeated.
    pub(crate) fn is_called_at_most_once(&self) -> bool {
        self.options.effects == Some(Effects::AtMostOnce)
    }

    /// Whether it may be called again, and does not say what that means.
    pub(crate) fn may_surprise(&self) -> bool {
        self.phase == Phase::AfterCommit && self.options.effects.is_none() && matches!(self.call, HandlerCall::Plain(_))
    }
}

impl HandlerOptions {
    /// The handler's retry policy, where the handler is silent the outbox's.
    pub(crate) fn retry(&self, default: &RetryPolicy) -> RetryPolicy {
        let mut policy = default.clone();
        if let Some(attempts) = self.attempts {
            policy = policy.attempts(attempts);
        }
        if let Some(backoff) = self.backoff {
            policy = policy.backoff(backoff.clone());
        }
        if let Some(dead_letters) = self.dead_letters {
            policy = policy.dead_letters(dead_letters);
        }
        if self.effects == Some(Effects::AtMostOnce) {
            policy = policy.attempts(1);
        }
        policy
    }
}
