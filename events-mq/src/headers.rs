//! An envelope as the headers and the body of a message, and back: CloudEvents 1.0 in binary mode.
//!
//! | envelope | header at NATS | at Kafka and RocketMQ, field at Redis |
//! |---|---|---|
//! | `id` | `ce-id` | `ce_id` |
//! | `topic` | `ce-type` | `ce_type` |
//! | `source` | `ce-source` | `ce_source` |
//! | `occurred_at` | `ce-time` (RFC 3339) | `ce_time` |
//! | `key` | `ce-partitionkey` | `ce_partitionkey` |
//! | `version` | `ce-eventversion` | `ce_eventversion` |
//! | `content_type` | `content-type`, `ce-datacontenttype` | the same |
//! | header `x` | `ce-header-x` | `ce_header-x` |
//! | headers `traceparent`, `tracestate` | also under their own names, as W3C Trace Context has them | the same |
//!
//! Of strangers, `ce-traceparent` is read as well: CloudEvents have it as an extension, "Distributed Tracing".
//!
//! At RabbitMQ as at Kafka, with `cloudEvents:` instead of `ce_`; the content type is a property of the message.
//!
//! `ce-specversion` is always `1.0`; a message without it is no event.

use crate::percent;
use bytes::Bytes;
use events_core::{Envelope, from_cloud_event, to_cloud_event};
use std::{borrow::Cow, collections::BTreeMap};

/// Headers that instrumented services write and read under these names, whatever the broker.
const W3C: [&str; 2] = ["traceparent", "tracestate"];
const CONTENT_TYPE: &str = "content-type";
const DATA_CONTENT_TYPE: &str = "datacontenttype";
/// What CloudEvents in structured mode have as their content type.
const STRUCTURED: &str = "application/cloudevents";
/// Prefix of the attributes that carry an envelope's own headers; what follows keeps its case.
const HEADER: &str = "header-";

/// How a broker names its headers, and what may be in them.
///
/// ```
/// use events_core::{Envelope, EventId, Headers};
/// use events_mq::headers::Binding;
///
/// let sent = Envelope {
///     id: EventId::now(),
///     topic: "order.payok".into(),
///     version: 1,
///     key: Some("Köln 7".into()),
///     occurred_at: time::OffsetDateTime::now_utc(),
///     source: "/orders".into(),
///     content_type: "application/json".into(),
///     headers: Headers::from([("tenant".into(), "eu".into())]),
///     payload: "{}".into(),
/// };
/// let headers = Binding::NATS.headers(&sent);
/// assert!(headers.contains(&("ce-partitionkey".into(), "K%C3%B6ln%207".into())));
///
/// let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
/// assert_eq!(Binding::NATS.envelope(headers, sent.payload.clone()).unwrap(), sent);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    prefix: &'static str,
    text: Text,
}

/// What a header's value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// Visible ASCII; everything else is percent-encoded.
    Ascii,
    /// Any text.
    Utf8,
}

/// Why a message is no event. No repetition helps: it is poison.
#[derive(Debug, thiserror::Error)]
#[error("the message is no event: {reason}")]
pub struct NotAnEvent {
    reason: String,
}

impl Binding {
    /// NATS, and HTTP: `ce-`, percent-encoded.
    pub const NATS: Self = Self { prefix: "ce-", text: Text::Ascii };
    /// Kafka: `ce_`, any text.
    pub const KAFKA: Self = Self { prefix: "ce_", text: Text::Utf8 };
    /// Redis, whose entries have fields: as Kafka's headers, because there is no standard of its own.
    pub const REDIS: Self = Self::KAFKA;
    /// RabbitMQ, and AMQP: `cloudEvents:`, any text.
    pub const RABBITMQ: Self = Self { prefix: "cloudEvents:", text: Text::Utf8 };
    /// RocketMQ: `ce_`, so that its SQL filters can name a property; percent-encoded, because two control characters separate properties.
    pub const ROCKETMQ: Self = Self { prefix: "ce_", text: Text::Ascii };

    /// The headers that carry everything of `envelope` but its payload.
    #[must_use]
    pub fn headers(&self, envelope: &Envelope) -> Vec<(String, String)> {
        let mut headers: Vec<_> = to_cloud_event(envelope)
            .into_iter()
            .map(|(name, value)| (format!("{}{}", self.prefix, self.name(&name)), self.value(&value).into_owned()))
            .collect();
        headers.push((CONTENT_TYPE.to_owned(), self.value(&envelope.content_type).into_owned()));
        for name in W3C {
            if let Some(value) = envelope.headers.get(name) {
                headers.push((name.to_owned(), self.value(value).into_owned()));
            }
        }
        headers
    }

    /// The envelope of a message; the inverse of [`headers`](Self::headers). Other headers are none of ours and are left out.
    ///
    /// # Errors
    /// The message is no CloudEvent, or not in binary mode, or an attribute is missing or malformed; the error names it.
    pub fn envelope<'a>(&self, headers: impl IntoIterator<Item = (&'a str, &'a str)>, payload: Bytes) -> Result<Envelope, NotAnEvent> {
        let (mut attributes, mut content_type, mut traces) = (BTreeMap::new(), None, BTreeMap::new());
        for (name, value) in headers {
            if let Some(attribute) = strip_prefix(name, self.prefix) {
                attributes.insert(self.attribute(attribute)?, self.read(name, value)?);
            } else if name.eq_ignore_ascii_case(CONTENT_TYPE) {
                content_type = Some(self.read(name, value)?);
            } else if let Some(known) = W3C.iter().find(|known| name.eq_ignore_ascii_case(known)) {
                traces.insert(format!("{HEADER}{known}"), self.read(name, value)?);
            }
        }
        match attributes.get("specversion").map(String::as_str) {
            Some("1.0") => {}
            Some(other) => return Err(not_an_event(format!("its CloudEvents version is `{other}`, and only `1.0` is known"))),
            None if content_type.as_deref().is_some_and(|it| it.starts_with(STRUCTURED)) => {
                return Err(not_an_event("it is a CloudEvent in structured mode, and only binary mode is read".to_owned()));
            }
            None => return Err(not_an_event(format!("the header `{}specversion` is missing", self.prefix))),
        }
        if let Some(content_type) = content_type {
            attributes.entry(DATA_CONTENT_TYPE.to_owned()).or_insert(content_type);
        }
        // The extension says where the event began, the header of W3C perhaps only where the message did.
        for name in W3C {
            if let Some(value) = attributes.get(name).cloned() {
                attributes.entry(format!("{HEADER}{name}")).or_insert(value);
            }
        }
        for (name, value) in traces {
            attributes.entry(name).or_insert(value);
        }
        from_cloud_event(&attributes, payload).map_err(|error| not_an_event(error.to_string()))
    }

    fn name<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.text {
            Text::Ascii => percent::encode_name(text).into(),
            Text::Utf8 => text.into(),
        }
    }

    fn value<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.text {
            Text::Ascii => percent::encode_value(text).into(),
            Text::Utf8 => text.into(),
        }
    }

    /// The attribute's name as CloudEvents has it: lower case, but for the part that is ours.
    fn attribute(&self, name: &str) -> Result<String, NotAnEvent> {
        match strip_prefix(name, HEADER) {
            Some(own) => Ok(format!("{HEADER}{}", self.read(name, own)?)),
            None => Ok(name.to_ascii_lowercase()),
        }
    }

    fn read(&self, name: &str, text: &str) -> Result<String, NotAnEvent> {
        match self.text {
            Text::Ascii => percent::decode(text).map_err(|error| not_an_event(format!("the header `{name}` is malformed: {error}"))),
            Text::Utf8 => Ok(text.to_owned()),
        }
    }
}

pub(crate) fn not_an_event(reason: String) -> NotAnEvent {
    NotAnEvent { reason }
}

/// As `str::strip_prefix`, for names whose case means nothing.
fn strip_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use events_core::{EventId, Headers};
    use time::OffsetDateTime;

    fn envelope() -> Envelope {
        Envelope {
            id: EventId::now(),
            topic: "order.payok".into(),
            version: 3,
            key: Some("Ключ №7\r\n".into()),
            occurred_at: OffsetDateTime::UNIX_EPOCH + time::Duration::nanoseconds(1_234_567_891),
            source: "/orders/ü".into(),
            content_type: "application/octet-stream".into(),
            headers: Headers::from([
                ("traceparent".into(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
                ("Größe: XL".into(), " \"50 %\" ".into()),
                ("Tenant".into(), "a".into()),
                ("tenant".into(), String::new()),
            ]),
            payload: Bytes::from_static(&[0, 255, 13, 10]),
        }
    }

    fn again(binding: Binding, headers: &[(String, String)], payload: Bytes) -> Result<Envelope, NotAnEvent> {
        binding.envelope(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())), payload)
    }

    #[test]
    fn an_envelope_survives_the_way_through_the_headers_of_every_binding() {
        for binding in [Binding::NATS, Binding::KAFKA, Binding::RABBITMQ, Binding::ROCKETMQ] {
            for key in [None, Some(String::new()), Some("%C3".to_owned()), envelope().key] {
                let sent = Envelope { key, ..envelope() };
                assert_eq!(again(binding, &binding.headers(&sent), sent.payload.clone()).unwrap(), sent);
            }
        }
    }

    #[test]
    fn nats_headers_are_visible_ascii_with_names_that_http_allows() {
        for (name, value) in Binding::NATS.headers(&envelope()) {
            assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'), "{name}");
            assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value}");
        }
    }

    #[test]
    fn what_strangers_write_is_read_whatever_the_case() {
        let id = EventId::now().to_string();
        let headers = [
            ("Ce-Specversion", "1.0"),
            ("CE-ID", &id),
            ("Ce-Type", "t"),
            ("Ce-Source", "/s"),
            ("Content-Type", "text/plain"),
            ("Traceparent", "00-1-2-01"),
            ("Nats-Msg-Id", "x"),
        ];
        let read = Binding::NATS.envelope(headers, Bytes::new()).unwrap();
        assert_eq!((read.id.to_string(), read.content_type.as_ref()), (id, "text/plain"));
        assert_eq!(read.headers, Headers::from([("traceparent".into(), "00-1-2-01".into())]));
    }

    #[test]
    fn the_trace_of_a_stranger_s_event_goes_before_that_of_the_message() {
        let id = EventId::now().to_string();
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", &id),
            ("ce-type", "t"),
            ("ce-source", "/s"),
            ("traceparent", "00-of-message-01"),
            ("ce-traceparent", "00-of-event-01"),
        ];
        let read = Binding::NATS.envelope(headers, Bytes::new()).unwrap();
        assert_eq!(read.headers, Headers::from([("traceparent".into(), "00-of-event-01".into())]));
    }

    #[test]
    fn what_is_no_event_is_an_error_that_says_why() {
        let said = |headers: &[(&'static str, &'static str)]| {
            Binding::NATS.envelope(headers.iter().copied(), Bytes::new()).unwrap_err().to_string()
        };
        assert_eq!(said(&[]), "the message is no event: the header `ce-specversion` is missing");
        assert!(said(&[("content-type", "application/cloudevents+json")]).contains("structured mode"));
        assert!(said(&[("ce-specversion", "0.3")]).contains("`0.3`"));
        assert!(said(&[("ce-specversion", "1.0")]).contains("`id` is missing"));
        assert!(said(&[("ce-specversion", "1.0"), ("ce-id", "7")]).contains("`id` is malformed"));
        assert!(said(&[("ce-specversion", "1.0"), ("ce-id", "%ff")]).contains("`ce-id` is malformed"));
    }
}
