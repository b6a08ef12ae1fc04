//! What a domain event is: a type with a topic, a version and, if order matters, a key.

use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// A fact that happened in the domain. Implemented by [`#[domain_event]`](macro@crate::domain_event), not by hand.
///
/// ```
/// use events_core::{DomainEvent, domain_event};
/// use serde::{Deserialize, Serialize};
///
/// #[domain_event(topic = "order.payok", key = order_id)]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid { order_id: i64 }
///
/// assert_eq!(OrderPaid::TOPIC, "order.payok");
/// assert_eq!(OrderPaid { order_id: 7 }.key().as_deref(), Some("7"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a domain event",
    label = "missing `#[domain_event(topic = \"...\")]`",
    note = "annotate the type with `#[domain_event(topic = \"...\")]`"
)]
pub trait DomainEvent: EventPayload + Send + Sync + 'static {
    /// Names the kind of fact, such as `order.payok`; at most 255 characters.
    const TOPIC: &'static str;
    /// Version of the payload's shape; topic and version together name one type.
    const VERSION: u16 = 1;
    /// The oldest version whose payloads this type reads; older than its own if it [upcasts](crate::Upcast).
    const OLDEST: u16 = Self::VERSION;
    /// The first version of which events exist anywhere; those before need not be read by anybody.
    const SINCE: u16 = 1;
    /// Whether the event stays in this process: handlers get it, transports do not.
    const LOCAL: bool = false;
    /// Name of the one transport that takes the event; without it, the only transport installed does.
    const TO: Option<&'static str> = None;
    /// How long after COMMIT the event becomes deliverable.
    const DELAY: Option<Duration> = None;

    /// Ordering key: events with equal keys reach each target in commit order.
    fn key(&self) -> Option<String> {
        None
    }

    /// Reads a payload of a version from [`OLDEST`](Self::OLDEST) to [`VERSION`](Self::VERSION).
    #[doc(hidden)]
    fn decode_version(_version: u16, payload: &[u8]) -> Result<Self, serde_json::Error> {
        Self::decode(payload)
    }
}

/// What serde must be able to do with an event. Implemented for every type that derives `Serialize` and `Deserialize`.
#[diagnostic::on_unimplemented(
    message = "the event `{Self}` cannot be written to the outbox and read back",
    label = "needs serde's `Serialize` and `Deserialize`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to `{Self}`"
)]
pub trait EventPayload: Sized {
    // serde's traits are no supertraits: the compiler would name each of them, instead of this trait, where a derive is missing.
    #[doc(hidden)]
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error>;
    #[doc(hidden)]
    fn decode(payload: &[u8]) -> Result<Self, serde_json::Error>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> EventPayload for T {
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

/// What is known of an event type before any event exists. Not public API: the macros write it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct EventDescriptor {
    pub topic: &'static str,
    pub version: u16,
    /// The oldest version it reads.
    pub oldest: u16,
    /// The first version of which events exist.
    pub since: u16,
    pub local: bool,
    pub to: Option<&'static str>,
    pub type_name: fn() -> &'static str,
}

impl EventDescriptor {
    /// The descriptor of `E`.
    #[must_use]
    pub const fn of<E: DomainEvent>() -> Self {
        Self {
            topic: E::TOPIC,
            version: E::VERSION,
            oldest: E::OLDEST,
            since: E::SINCE,
            local: E::LOCAL,
            to: E::TO,
            type_name: std::any::type_name::<E>,
        }
    }

    /// Whether payloads of this topic and version can be read as this type.
    #[must_use]
    pub fn reads(&self, topic: &str, version: u16) -> bool {
        self.topic == topic && (self.oldest..=self.version).contains(&version)
    }
}

inventory::collect!(EventDescriptor);
