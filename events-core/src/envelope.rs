//! An event with everything a stranger needs to know about it: id, topic, key, time, source, headers, payload.

use crate::event::place_of;
use crate::{BoxError, DeliveryId, DomainEvent, SENSITIVE_HEADER, masked};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr, sync::Arc};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

/// How many targets an event may have.
pub(crate) const MAX_TARGETS: u16 = 1024;

/// Identifies one event for ever; a UUIDv7, so ids sort by time of publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub Uuid);

impl EventId {
    /// A fresh id. Its last ten bits are zero: deliveries of the event have its id with their number there.
    #[must_use]
    pub fn now() -> Self {
        Self(Uuid::from_u128(Uuid::now_v7().as_u128() & !u128::from(MAX_TARGETS - 1)))
    }

    /// The ids that deliveries of this event have, the first and the last; it is found by them, and needs no index of its own.
    #[must_use]
    pub fn deliveries(self) -> (DeliveryId, DeliveryId) {
        let first = self.0.as_u128() & !u128::from(MAX_TARGETS - 1);
        (DeliveryId(Uuid::from_u128(first)), DeliveryId(Uuid::from_u128(first | u128::from(MAX_TARGETS - 1))))
    }

    /// Stands for everything that is the same by a business key: a UUIDv8 of its SHA-256, so the same for the same text.
    pub(crate) fn of_identity(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(Builder::from_custom_bytes(bytes).into_uuid())
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
#[derive(Clone, PartialEq)]
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
    /// Whatever the event's `Serialize` reports; of an event with sensitive fields only that it did.
    pub fn seal<E: DomainEvent>(event: &E, source: &Arc<str>) -> Result<Self, serde_json::Error> {
        let payload = event.encode().map_err(|error| if E::GUARDED { serde::ser::Error::custom(place_of(&error)) } else { error })?;
        Ok(Self {
            id: EventId::now(),
            topic: Cow::Borrowed(E::TOPIC),
            version: E::VERSION,
            key: event.key(),
            occurred_at: OffsetDateTime::now_utc(),
            source: Arc::clone(source),
            content_type: Cow::Borrowed(JSON),
            headers: masked::header_of(E::SENSITIVE).map(|names| (SENSITIVE_HEADER.to_owned(), names)).into_iter().collect(),
            payload: Bytes::from(payload),
        })
    }

    /// The payload for people: its text, with `"***"` in the place of every sensitive field.
    ///
    /// Which fields are sensitive is told by the header [`SENSITIVE_HEADER`] and by the event types linked into this program. If there are any,
    /// and the payload is no JSON object, nothing of it is shown.
    ///
    /// ```standalone_crate
    /// use events_core::{Envelope, domain_event};
    /// # use serde::{Deserialize, Serialize};
    /// #[domain_event(topic = "card.charged")]
    /// #[derive(Serialize, Deserialize)]
    /// struct CardCharged {
    ///     order_id: i64,
    ///     #[event(sensitive)]
    ///     card: String,
    /// }
    ///
    /// let event = CardCharged { order_id: 7, card: "4111 1111".to_owned() };
    /// let envelope = Envelope::seal(&event, &"/shop".into()).unwrap();
    /// assert_eq!(envelope.masked(), r#"{"card":"***","order_id":7}"#);
    /// ```
    #[must_use]
    pub fn masked(&self) -> String {
        masked::text(self)
    }

    /// Takes the event out again.
    ///
    /// # Errors
    /// The payload is no JSON or does not fit `E`, or is of a version that `E` does not read; the error names the topic, the version and the
    /// type.
    pub fn open<E: DomainEvent>(&self) -> Result<E, BoxError> {
        if self.content_type != JSON {
            return Err(format!(
                "the payload of event {} on topic `{}` is `{}`; only `{JSON}` can be decoded",
                self.id, self.topic, self.content_type
            )
            .into());
        }
        if self.version < E::OLDEST {
            return Err(format!(
                "event {} on topic `{}` has version {}, and `{}` reads {} at the oldest; name its version before with `upcasts = ..`",
                self.id,
                self.topic,
                self.version,
                std::any::type_name::<E>(),
                E::OLDEST
            )
            .into());
        }
        E::decode_version(self.version, &self.payload).map_err(|error| {
            let is_guarded = E::GUARDED || self.headers.contains_key(SENSITIVE_HEADER);
            let error = if is_guarded { place_of(&error) } else { error.to_string() };
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

/// Without the payload: what is sensitive in it must not get into a log.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("id", &self.id)
            .field("topic", &self.topic)
            .field("version", &self.version)
            .field("key", &self.key)
            .field("occurred_at", &self.occurred_at)
            .field("source", &self.source)
            .field("content_type", &self.content_type)
            .field("headers", &self.headers)
            .field("payload", &format_args!("<{} bytes>", self.payload.len()))
            .finish()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_s_deliveries_have_ids_of_their_own_between_its_first_and_its_last() {
        let (event, next) = (EventId::now(), EventId::now());
        let (first, last) = event.deliveries();
        assert_eq!(first.0, event.0, "room for the numbers is left in the event's own id");
        assert_eq!(DeliveryId::of(event, 0), first);
        assert_eq!(DeliveryId::of(event, usize::from(MAX_TARGETS) - 1), last);
        assert!(last < next.deliveries().0, "{last} and {next}");
    }

    #[test]
    fn what_stands_for_a_business_key_is_no_event_s_id() {
        let (one, other) = (EventId::of_identity("7"), EventId::of_identity("8"));
        assert_eq!((one, one == other), (EventId::of_identity("7"), false));
        assert_ne!(one.0.get_version_num(), EventId::now().0.get_version_num());
    }
}
