//! CloudEvents 1.0: an envelope's attributes by their standard names, for transports in binary mode.

use crate::{BoxError, Envelope, EventId, Headers};
use bytes::Bytes;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Extension attribute of the CloudEvents "Partitioning" extension; carries the key.
const PARTITION_KEY: &str = "partitionkey";
/// Our own extension attribute for the payload's version; names are lower-case letters and digits by the standard.
const EVENT_VERSION: &str = "eventversion";
/// Prefix of the extension attributes that carry headers whose names the standard would refuse.
const HEADER: &str = "header-";

/// The CloudEvents 1.0 attributes of `envelope`, headers included, without a transport's prefix (`ce-`, `ce_`).
///
/// | envelope | attribute |
/// |---|---|
/// | `id` | `id` |
/// | `topic` | `type` |
/// | `source` | `source` |
/// | `occurred_at` | `time` (RFC 3339) |
/// | `content_type` | `datacontenttype` |
/// | `key` | `partitionkey` |
/// | `version` | `eventversion` |
/// | header `x` | `header-x` |
#[must_use]
pub fn to_cloud_event(envelope: &Envelope) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from([
        ("specversion".to_owned(), "1.0".to_owned()),
        ("id".to_owned(), envelope.id.to_string()),
        ("type".to_owned(), envelope.topic.to_string()),
        ("source".to_owned(), envelope.source.to_string()),
        ("datacontenttype".to_owned(), envelope.content_type.to_string()),
        (EVENT_VERSION.to_owned(), envelope.version.to_string()),
    ]);
    // Formatting fails for years beyond 9999 only; `time` is an optional attribute.
    if let Ok(time) = envelope.occurred_at.format(&Rfc3339) {
        attributes.insert("time".to_owned(), time);
    }
    if let Some(key) = &envelope.key {
        attributes.insert(PARTITION_KEY.to_owned(), key.clone());
    }
    for (name, value) in &envelope.headers {
        attributes.insert(format!("{HEADER}{name}"), value.clone());
    }
    attributes
}

/// Rebuilds an envelope from CloudEvents attributes and a payload; the inverse of [`to_cloud_event`].
///
/// Attributes of strangers are accepted: without `time` the envelope is dated now, without `eventversion` it is version 1.
///
/// # Errors
/// `id`, `type` or `source` is missing, `id` is no UUID, or a number or time is malformed; the error names the attribute.
pub fn from_cloud_event(attributes: &BTreeMap<String, String>, payload: Bytes) -> Result<Envelope, BoxError> {
    let required = |name: &str| attributes.get(name).ok_or_else(|| format!("the CloudEvents attribute `{name}` is missing"));
    let malformed = |name: &str, error: &dyn std::fmt::Display| format!("the CloudEvents attribute `{name}` is malformed: {error}");
    let id: EventId = required("id")?.parse().map_err(|error| malformed("id", &error))?;
    let version = match attributes.get(EVENT_VERSION) {
        Some(text) => text.parse().map_err(|error| malformed(EVENT_VERSION, &error))?,
        None => 1,
    };
    let occurred_at = match attributes.get("time") {
        Some(text) => OffsetDateTime::parse(text, &Rfc3339).map_err(|error| malformed("time", &error))?,
        None => OffsetDateTime::now_utc(),
    };
    let headers: Headers =
        attributes.iter().filter_map(|(name, value)| Some((name.strip_prefix(HEADER)?.to_owned(), value.clone()))).collect();
    Ok(Envelope {
        id,
        topic: Cow::Owned(required("type")?.clone()),
        version,
        key: attributes.get(PARTITION_KEY).cloned(),
        occurred_at,
        source: Arc::from(required("source")?.as_str()),
        content_type: attributes.get("datacontenttype").map_or(Cow::Borrowed(crate::envelope::JSON), |text| Cow::Owned(text.clone())),
        headers,
        payload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            id: EventId::now(),
            topic: Cow::Borrowed("order.payok"),
            version: 3,
            key: Some("7".into()),
            occurred_at: OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(1_234_567),
            source: Arc::from("/orders"),
            content_type: Cow::Borrowed("application/json"),
            headers: Headers::from([("Trace-Id".into(), "abc".into())]),
            payload: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn an_envelope_survives_the_way_through_its_attributes() {
        let sent = envelope();
        assert_eq!(from_cloud_event(&to_cloud_event(&sent), sent.payload.clone()).unwrap(), sent);
    }

    #[test]
    fn the_attributes_have_their_standard_names() {
        let attributes = to_cloud_event(&envelope());
        assert_eq!(attributes["specversion"], "1.0");
        assert_eq!(attributes["type"], "order.payok");
        assert_eq!(attributes["time"], "1970-01-01T00:00:01.234567Z");
    }

    #[test]
    fn a_missing_attribute_is_named() {
        let mut attributes = to_cloud_event(&envelope());
        attributes.remove("type");
        let error = from_cloud_event(&attributes, Bytes::new()).unwrap_err();
        assert_eq!(error.to_string(), "the CloudEvents attribute `type` is missing");
    }
}
