//! What a handler may ask for besides its event: shared state, metadata, own extractors.

use crate::event::EventDescriptor;
use crate::{DeliveryError, DomainEvent, Envelope, Metadata};
use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;

/// Typed shared state, one value per type.
#[derive(Default)]
pub(crate) struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn insert<T: Clone + Send + Sync + 'static>(&mut self, state: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(state));
    }

    pub(crate) fn has(&self, id: TypeId) -> bool {
        self.0.contains_key(&id)
    }

    fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }
}

/// What one delivery knows; extractors read from it.
pub struct Context<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) states: &'a States,
    pub(crate) attempt: u32,
    pub(crate) completion: Option<Completion>,
}

impl Context<'_> {
    /// The event in its envelope.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        self.envelope
    }

    /// Which attempt this is, counted from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// A clone of the shared state of type `T`, if one was given to the outbox builder.
    #[must_use]
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.states.get()
    }
}

/// What a handler needs, asked at start-up so that a gap is found before the first event.
#[derive(Default)]
pub struct Requirements {
    pub(crate) states: Vec<(TypeId, &'static str)>,
    pub(crate) completion: bool,
}

impl Requirements {
    /// Declares that shared state of type `T` is needed.
    pub fn state<T: Clone + Send + Sync + 'static>(&mut self) {
        self.states.push((TypeId::of::<T>(), type_name::<T>()));
    }
}

/// A type that handlers may take as an argument after the event.
///
/// ```
/// use events_core::{Context, DeliveryError, FromContext, Requirements};
///
/// #[derive(Clone)]
/// struct Tenants(String);
/// struct Tenant(String);
///
/// impl FromContext for Tenant {
///     fn require(requirements: &mut Requirements) { requirements.state::<Tenants>() }
///     fn from_context(cx: &Context<'_>) -> Result<Self, DeliveryError> {
///         let Tenants(fallback) = cx.state().ok_or_else(|| DeliveryError::terminal("no `Tenants`"))?;
///         Ok(Tenant(cx.envelope().headers.get("tenant").cloned().unwrap_or(fallback)))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a handler argument",
    label = "not an extractor",
    note = "after the event, handlers take `State<T>`, `Metadata`, `&mut UnitOfWork` or a type of yours that implements `FromContext`"
)]
pub trait FromContext: Sized {
    /// Declares what [`from_context`](Self::from_context) will need; checked at start-up.
    fn require(_: &mut Requirements) {}

    /// Builds the argument for one delivery.
    ///
    /// # Errors
    /// An error fails the delivery like an error of the handler itself would.
    fn from_context(cx: &Context<'_>) -> Result<Self, DeliveryError>;
}

/// A clone of shared state given to the outbox builder with `.state(..)`.
#[derive(Clone, Copy, Debug)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromContext for State<T> {
    fn require(requirements: &mut Requirements) {
        requirements.state::<T>();
    }

    fn from_context(cx: &Context<'_>) -> Result<Self, DeliveryError> {
        cx.state().map(State).ok_or_else(|| {
            let ty = type_name::<T>();
            DeliveryError::terminal(format!("`State<{ty}>` was not given; call `.state(..)` on the outbox builder"))
        })
    }
}

impl FromContext for Metadata {
    fn from_context(cx: &Context<'_>) -> Result<Self, DeliveryError> {
        Ok(Metadata::of(cx.envelope, cx.attempt))
    }
}

/// How a unit of work ended; an argument of `#[after_completion]` handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Completion {
    /// COMMIT succeeded.
    Committed,
    /// Nothing was written.
    RolledBack,
    /// The connection was lost during COMMIT; the scanner will find out.
    Unknown,
}

impl FromContext for Completion {
    fn require(requirements: &mut Requirements) {
        requirements.completion = true;
    }

    fn from_context(cx: &Context<'_>) -> Result<Self, DeliveryError> {
        cx.completion.ok_or_else(|| DeliveryError::terminal("only `#[after_completion]` handlers are told how the unit of work ended"))
    }
}

/// The first argument of a handler. Implemented for every domain event.
#[diagnostic::on_unimplemented(
    message = "the first argument of a handler must be a domain event, but `{Self}` is not one",
    label = "not a domain event",
    note = "annotate the type with `#[domain_event(topic = \"...\")]`, or put the event first"
)]
pub trait EventArg: Sized {
    /// The event type.
    type Event: DomainEvent;

    /// What is known of the event type. Asked for here, so that a type which is no event is told so once.
    #[doc(hidden)]
    const DESCRIPTOR: EventDescriptor = EventDescriptor::of::<Self::Event>();

    /// Decodes the event.
    ///
    /// # Errors
    /// A payload that does not fit the type is terminal: no retry can mend it.
    fn from_envelope(envelope: &Envelope) -> Result<Self, DeliveryError>;
}

#[diagnostic::do_not_recommend]
impl<E: DomainEvent> EventArg for E {
    type Event = E;

    fn from_envelope(envelope: &Envelope) -> Result<Self, DeliveryError> {
        envelope.open().map_err(DeliveryError::undecodable)
    }
}

/// A unit of work that a handler may take by `&mut`. Implemented by `events_sqlx::UnitOfWork`.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `&mut {Self}`",
    label = "not a unit of work",
    note = "take `&mut events_sqlx::sqlite::UnitOfWork` (or that of your database), or inject `{Self}` with `State<{Self}>`"
)]
pub trait UnitOfWorkArg: Any + Send {}
