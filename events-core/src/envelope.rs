//! An event with everything a stranger needs to know about it: id, topic, key, time, source, headers, payload.

use crate::{BoxError, DomainEvent};
use bytes::Bytes;
use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr, sync::Arc};
use time::OffsetDateTime;
use uuid::Uuid;

/// Identifies one event for ever; a UUIDv7, so ids sort by time of publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub Uuid);

impl EventId {
    /// A fresh id.
    #[must_use]
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Free-form text that travels with an event, such as a tenant or a trace id.
pub type Headers = BTreeMap<String, String>;

/// A domain event as it is stored and sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The event's id; the same in every delivery and redelivery.
    pub id: EventId,
    /// The kind of fact.
    pub topic: Cow<'static, str>,
    /// Version of the payload's shape.
    pub version: u16,
    /// Ordering key.
    pub key: Option<String>,
    /// When the event was published, by the publisher's clock. For people; nothing is decided by it.
    pub occurred_at: OffsetDateTime,
    /// Which service published the event, as a URI reference.
    pub source: Arc<str>,
    /// Media type of the payload.
    pub content_type: Cow<'static, str>,
    /// Text that travels with the event.
    pub headers: Headers,
    /// The event, serialized.
    pub payload: Bytes,
}

/// Media type of every payload this library writes.
pub(crate) const JSON: &str = "application/json";

impl Envelope {
    /// Puts `event` into an envelope with a fresh id.
    ///
    /// # Errors
    /// Whatever the event's `Serialize` reports.
    pub fn seal<E: DomainEvent>(event: &E, source: &Arc<str>) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id: EventId::now(),
            topic: Cow::Borrowed(E::TOPIC),
            version: E::VERSION,
            key: event.key(),
            occurred_at: OffsetDateTime::now_utc(),
            source: Arc::clone(source),
            content_type: Cow::Borrowed(JSON),
            headers: Headers::new(),
            payload: Bytes::from(event.encode()?),
        })
    }

    /// Takes the event out again.
    ///
    /// # Errors
    /// The payload is no JSON or does not fit `E`; the error names the topic, the version and the type.
    pub fn open<E: DomainEvent>(&self) -> Result<E, BoxError> {
        if self.content_type != JSON {
            return Err(format!(
                "the payload of event {} on topic `{}` is `{}`; only `{JSON}` can be decoded",
                self.id, self.topic, self.content_type
            )
            .into());
        }
        E::decode(&self.payload).map_err(|error| {
            format!(
                "the payload of event {} on topic `{}` version {} does not fit `{}`: {error}",
                self.id,
                self.topic,
                self.version,
                std::any::type_name::<E>()
            )
            .into()
        })
    }
}

/// The envelope without its payload, plus the attempt; an argument that handlers may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// The event's id; what to deduplicate by.
    pub id: EventId,
    /// The kind of fact.
    pub topic: Cow<'static, str>,
    /// Version of the payload's shape.
    pub version: u16,
    /// Ordering key.
    pub key: Option<String>,
    /// When the event was published, by the publisher's clock.
    pub occurred_at: OffsetDateTime,
    /// Which service published the event.
    pub source: Arc<str>,
    /// Text that travels with the event.
    pub headers: Headers,
    /// Which attempt this is, counted from 1.
    pub attempt: u32,
}

impl Metadata {
    pub(crate) fn of(envelope: &Envelope, attempt: u32) -> Self {
        Self {
            id: envelope.id,
            topic: envelope.topic.clone(),
            version: envelope.version,
            key: envelope.key.clone(),
            occurred_at: envelope.occurred_at,
            source: Arc::clone(&envelope.source),
            headers: envelope.headers.clone(),
            attempt,
        }
    }
}
