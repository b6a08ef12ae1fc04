//! What a domain event is: a type with a topic, a version and, if order matters, a key.

use crate::shape::Shape;
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
    /// The names, in the payload, of the fields whose values must not be shown: those marked `#[event(sensitive)]`.
    const SENSITIVE: &'static [&'static str] = &[];
    /// Whether this type or a version before it has sensitive fields.
    #[doc(hidden)]
    const GUARDED: bool = !Self::SENSITIVE.is_empty();
    /// What the macro has seen of the payload.
    #[doc(hidden)]
    const SHAPE: Shape = Shape::UNKNOWN;

    /// Ordering key: events with equal keys reach each target in commit order.
    fn key(&self) -> Option<String> {
        None
    }

    /// Reads a payload of a version from [`OLDEST`](Self::OLDEST) to [`VERSION`](Self::VERSION).
    #[doc(hidden)]
    fn decode_version(_version: u16, payload: &[u8]) -> Result<Self, serde_json::Error> {
        Self::decode(payload)
    }

    /// The schema that the type itself brings.
    #[doc(hidden)]
    fn schema() -> Option<serde_json::Value> {
        None
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
    pub delay: Option<Duration>,
    pub sensitive: &'static [&'static str],
    pub shape: Shape,
    pub type_name: fn() -> &'static str,
    pub schema: fn() -> Option<serde_json::Value>,
    /// Whether a payload of a version that it reads fits the type; the error says nothing that must not be shown.
    pub fits: fn(u16, &[u8]) -> Result<(), String>,
}

impl EventDescriptor {
    /// The descriptor of no event; it stands where a mistake was.
    pub const NOTHING: Self = Self {
        topic: "",
        version: 0,
        oldest: 0,
        since: 0,
        local: false,
        to: None,
        delay: None,
        sensitive: &[],
        shape: Shape::UNKNOWN,
        type_name: || "",
        schema: || None,
        fits: |_, _| Ok(()),
    };

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
            delay: E::DELAY,
            sensitive: E::SENSITIVE,
            shape: E::SHAPE,
            type_name: std::any::type_name::<E>,
            schema: E::schema,
            fits: fits::<E>,
        }
    }

    /// Whether payloads of this topic and version can be read as this type.
    #[must_use]
    pub fn reads(&self, topic: &str, version: u16) -> bool {
        self.topic == topic && (self.oldest..=self.version).contains(&version)
    }
}

fn fits<E: DomainEvent>(version: u16, payload: &[u8]) -> Result<(), String> {
    E::decode_version(version, payload).map(drop).map_err(|error| if E::GUARDED { place_of(&error) } else { error.to_string() })
}

/// Where and what kind of error it was, and nothing else: serde quotes the value that it did not expect.
pub(crate) fn place_of(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Io => "it could not be read",
        Category::Syntax => "it is no JSON",
        Category::Data => "a value does not fit",
        Category::Eof => "it ends too early",
    };
    let place = match (error.line(), error.column()) {
        (0, _) => String::new(),
        (line, column) => format!(" at line {line} column {column}"),
    };
    format!("{what}{place}; the error itself is left out, because it may quote a sensitive field")
}

inventory::collect!(EventDescriptor);
