//! Payloads for people: what is sensitive is not shown. Works without the event's type, from what travels with the event.

use crate::Envelope;
use crate::event::EventDescriptor;
use crate::sealed::Sealed;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The header that names the sensitive fields of a payload, as a JSON array of their names. It is written by the library alone. It travels to
/// brokers too, so that tools there can mask what they show; it says nothing but names.
pub const SENSITIVE_HEADER: &str = "events-sensitive";

/// What stands in the place of a sensitive value.
const MASK: &str = "***";

/// The header of an event with these sensitive fields.
pub(crate) fn header_of(sensitive: &[&str]) -> Option<String> {
    (!sensitive.is_empty()).then(|| Value::from(sensitive).to_string())
}

impl Envelope {
    /// Whether the payload has fields that must not be shown. Then an error must not quote what a receiver answered, which may quote them.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.headers.contains_key(SENSITIVE_HEADER)
            || inventory::iter::<EventDescriptor>.into_iter().any(|event| event.topic == self.topic && !event.sensitive.is_empty())
    }
}

/// The payload of an envelope, masked.
pub(crate) fn text(envelope: &Envelope) -> String {
    if let Some(Sealed { key, .. }) = Sealed::of(&envelope.content_type) {
        return format!("<encrypted with key `{key}`>");
    }
    let linked = inventory::iter::<EventDescriptor>.into_iter().filter(|event| event.topic == envelope.topic);
    // Also what was stored before the type called a field sensitive.
    let mut names: BTreeSet<String> = linked.flat_map(|event| event.sensitive).map(|name| (*name).to_owned()).collect();
    if let Some(header) = envelope.headers.get(SENSITIVE_HEADER) {
        match serde_json::from_str::<Vec<String>>(header) {
            Ok(told) => names.extend(told),
            // Something is sensitive, and nobody can say what.
            Err(_) => return MASK.to_owned(),
        }
    }
    if names.is_empty() {
        return match str::from_utf8(&envelope.payload) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("<{} bytes that are no text>", envelope.payload.len()),
        };
    }
    let Ok(mut object) = serde_json::from_slice::<Map<String, Value>>(&envelope.payload) else { return MASK.to_owned() };
    for (_, value) in object.iter_mut().filter(|(name, _)| names.contains(*name)) {
        *value = Value::from(MASK);
    }
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Headers};
    use bytes::Bytes;
    use std::borrow::Cow;

    fn envelope(payload: &[u8], header: Option<&str>) -> Envelope {
        Envelope {
            id: EventId::now(),
            topic: Cow::Borrowed("card.of.a.stranger"),
            version: 1,
            key: None,
            occurred_at: time::OffsetDateTime::UNIX_EPOCH,
            source: "/shop".into(),
            content_type: Cow::Borrowed("application/json"),
            headers: header.map(|names| (SENSITIVE_HEADER.to_owned(), names.to_owned())).into_iter().collect::<Headers>(),
            payload: Bytes::copy_from_slice(payload),
        }
    }

    #[test]
    fn sensitive_fields_are_masked_at_the_top_level_and_the_rest_is_shown() {
        let payload = br#"{"order":7,"card":{"no":"4111"},"inner":{"card":"visible"}}"#;
        assert_eq!(envelope(payload, Some(r#"["card"]"#)).masked(), r#"{"card":"***","inner":{"card":"visible"},"order":7}"#);
        assert_eq!(envelope(payload, None).masked().as_bytes(), payload, "as it is where nothing is sensitive");
    }

    #[test]
    fn a_name_written_with_escapes_or_twice_is_masked_too() {
        let masked = envelope(br#"{"\u0063ard":"4111","card":"4222"}"#, Some(r#"["card"]"#)).masked();
        assert_eq!(masked, r#"{"card":"***"}"#);
    }

    #[test]
    fn of_what_cannot_be_masked_nothing_is_shown() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let unclosed: &[u8] = br#"{"card":"4111"#;
        for payload in [unclosed, br#"["4111"]"#, br#""4111""#, b"\xff4111", b"", deep.as_bytes()] {
            assert_eq!(envelope(payload, Some(r#"["card"]"#)).masked(), "***");
        }
        let payload = br#"{"card":"4111"}"#;
        for header in ["card", "", "{}", "[1]"] {
            assert_eq!(envelope(payload, Some(header)).masked(), "***", "{header:?} names nothing");
        }
    }

    #[test]
    fn what_is_no_text_is_told_by_its_size() {
        assert_eq!(envelope(b"\xff\xfe", None).masked(), "<2 bytes that are no text>");
    }

    #[test]
    fn the_debug_of_an_envelope_shows_no_payload() {
        let shown = format!("{:?}", envelope(br#"{"card":"4111"}"#, None));
        assert!(!shown.contains("4111") && !shown.contains("52, 49") && shown.contains("<15 bytes>"), "{shown}");
    }

    #[test]
    fn a_name_with_a_comma_is_one_name() {
        let header = header_of(&["a,b", "c"]).unwrap();
        assert_eq!(envelope(br#"{"a,b":1,"c":2,"a":3}"#, Some(&header)).masked(), r#"{"a":3,"a,b":"***","c":"***"}"#);
    }
}
