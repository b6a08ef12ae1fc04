//! Collects what a unit of work publishes, in task-local storage. Knows no store.

use crate::{DomainEvent, Envelope, Error, EventId, Headers, SENSITIVE_HEADER, spans, trace_context};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;

tokio::task_local! { static ACTIVE: Collector; }

/// The longest key that fits its column on every database, in bytes.
const MAX_KEY: usize = 255;

/// Publishes `event` in the unit of work that is active on this task, and returns its id.
///
/// The event is buffered; it is written to the outbox just before COMMIT and forgotten on rollback.
///
/// ```
/// use events_core::{domain_event, publish};
/// # use serde::{Deserialize, Serialize};
/// #[domain_event(topic = "order.payok", local)]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid { order_id: i64 }
///
/// fn mark_paid(order_id: i64) -> Result<(), events_core::Error> {
///     // .. write to your own tables ..
///     publish(OrderPaid { order_id })?;
///     Ok(())
/// }
/// assert!(mark_paid(7).unwrap_err().to_string().contains("outside a unit of work"));
/// ```
///
/// # Errors
/// No unit of work is active on this task ([`Error::NoUnitOfWork`]), or the event cannot be serialized or is too large.
pub fn publish<E: DomainEvent>(event: E) -> Result<EventId, Error> {
    Publication::of(event).publish()
}

/// As [`publish`], but the event becomes deliverable only when `delay` has passed after COMMIT, by the database's clock. Until then it can
/// be cancelled by the id that this returns.
///
/// ```no_run
/// # use events_core::{domain_event, publish_in};
/// # use std::time::Duration;
/// # #[domain_event(topic = "order.expired", local)]
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct OrderExpired { order_id: i64 }
/// # fn f() -> Result<(), events_core::Error> {
/// let reminder = publish_in(Duration::from_secs(30 * 60), OrderExpired { order_id: 7 })?;
/// // .. `uow.cancel(reminder)` in the unit of work that pays the order
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`publish`].
pub fn publish_in<E: DomainEvent>(delay: Duration, event: E) -> Result<EventId, Error> {
    Publication::of(event).delay(delay).publish()
}

/// As [`publish_in`], but at a moment. It is turned into a delay by this process's clock when the event is stored; a moment that has passed
/// is no delay.
///
/// # Errors
/// As [`publish`].
pub fn publish_at<E: DomainEvent>(at: OffsetDateTime, event: E) -> Result<EventId, Error> {
    Publication::of(event).at(at).publish()
}

/// An event with options, where [`publish`] is not enough.
///
/// ```no_run
/// # use events_core::{domain_event, Publication};
/// # use std::time::Duration;
/// # #[domain_event(topic = "cart.abandoned", local)]
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct CartAbandoned {}
/// # fn f() -> Result<events_core::EventId, events_core::Error> {
/// Publication::of(CartAbandoned {}).header("tenant", "acme").delay(Duration::from_secs(3600)).publish()
/// # }
/// ```
#[must_use = "a publication does nothing until `.publish()` is called"]
pub struct Publication<E> {
    event: E,
    headers: Headers,
    key: Option<String>,
    due: Due,
}

/// When an event becomes deliverable.
#[derive(Clone, Copy, Debug)]
enum Due {
    After(Duration),
    At(OffsetDateTime),
}

impl<E: DomainEvent> Publication<E> {
    /// A publication of `event` with the options of its type.
    pub fn of(event: E) -> Self {
        Self { event, headers: Headers::new(), key: None, due: Due::After(E::DELAY.unwrap_or_default()) }
    }

    /// Adds text that travels with the event. [`SENSITIVE_HEADER`] says what the event's type says, whatever is given here.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Replaces the event's ordering key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Makes the event deliverable only `delay` after COMMIT, by the database's clock.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Due::After(delay);
        self
    }

    /// Makes the event deliverable only at a moment, which this process's clock turns into a delay when the event is stored.
    pub fn at(mut self, at: OffsetDateTime) -> Self {
        self.due = Due::At(at);
        self
    }

    /// Publishes in the unit of work that is active on this task, and returns the event's id.
    ///
    /// # Errors
    /// As [`publish`].
    pub fn publish(self) -> Result<EventId, Error> {
        ACTIVE.try_with(Clone::clone).map_err(|_| Error::NoUnitOfWork { topic: E::TOPIC })?.push(self)
    }
}

/// An event that waits for COMMIT.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The event.
    pub envelope: Arc<Envelope>,
    due: Due,
}

impl Collected {
    /// How long after COMMIT it becomes deliverable, if it is stored now.
    pub(crate) fn delay(&self) -> Duration {
        match self.due {
            Due::After(delay) => delay,
            Due::At(at) => Duration::try_from(at - OffsetDateTime::now_utc()).unwrap_or_default(),
        }
    }
}

/// The events of one unit of work. Clones share their content.
#[derive(Clone, Debug)]
pub struct Collector(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    owner: usize,
    source: Arc<str>,
    max_payload: usize,
    events: Mutex<Vec<Collected>>,
}

impl Collector {
    /// An empty collector of the outbox `owner`, which refuses payloads of more than `max_payload` bytes.
    #[must_use]
    pub fn new(owner: usize, source: Arc<str>, max_payload: usize) -> Self {
        Self(Arc::new(Shared { owner, source, max_payload, events: Mutex::default() }))
    }

    /// The collector that is active on this task.
    #[must_use]
    pub fn current() -> Option<Self> {
        ACTIVE.try_with(Clone::clone).ok()
    }

    /// Which outbox the collector belongs to.
    #[must_use]
    pub fn owner(&self) -> usize {
        self.0.owner
    }

    /// Adds an event, and returns its id.
    ///
    /// # Errors
    /// The event cannot be serialized, or its payload or key is too large.
    pub fn push<E: DomainEvent>(&self, publication: Publication<E>) -> Result<EventId, Error> {
        let topic = E::TOPIC;
        let span = spans::publish(topic).entered();
        let mut envelope = Envelope::seal(&publication.event, &self.0.source).map_err(|source| Error::Serialize { topic, source })?;
        let (size, limit) = (envelope.payload.len(), self.0.max_payload);
        if size > limit {
            return Err(Error::PayloadTooLarge { topic, size, limit });
        }
        // What the type says of its sensitive fields is not the caller's to change.
        envelope.headers.extend(publication.headers.into_iter().filter(|(name, _)| name != SENSITIVE_HEADER));
        envelope.key = publication.key.or(envelope.key);
        if let Some(size) = envelope.key.as_ref().map(String::len).filter(|size| *size > MAX_KEY) {
            return Err(Error::KeyTooLong { topic, size });
        }
        if envelope.key.as_ref().is_some_and(|key| key.contains('\0')) {
            return Err(Error::KeyWithNul { topic });
        }
        trace_context::write(&mut envelope.headers);
        spans::published(&span, envelope.id, envelope.key.is_some());
        let id = envelope.id;
        self.events().push(Collected { envelope: Arc::new(envelope), due: publication.due });
        Ok(id)
    }

    /// How many events there are; a savepoint's mark.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.events().len()
    }

    /// The event at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Arc<Envelope>> {
        self.events().get(index).map(|collected| Arc::clone(&collected.envelope))
    }

    /// Forgets what came after `mark`, as a savepoint's rollback does, and returns it.
    #[must_use]
    pub fn split_off(&self, mark: usize) -> Vec<Collected> {
        let mut events = self.events();
        let mark = mark.min(events.len());
        events.split_off(mark)
    }

    /// Takes all events out.
    #[must_use]
    pub fn drain(&self) -> Vec<Collected> {
        std::mem::take(&mut *self.events())
    }

    /// Runs `future` with this collector active, so that [`publish`] finds it.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        ACTIVE.scope(self.clone(), future).await
    }

    // A panic while the lock is held leaves the list whole: nothing in between can fail.
    fn events(&self) -> MutexGuard<'_, Vec<Collected>> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
