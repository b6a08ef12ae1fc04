//! An event as one JSON document: CloudEvents 1.0 in structured mode.
//!
//! Attributes are those of [`to_cloud_event`], all of them strings. A payload is the member `data` where JSON can hold it: a JSON payload
//! as it is, text as a string. Everything else is `data_base64`.

use crate::headers::{NotAnEvent, not_an_event};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use events_core::{Envelope, from_cloud_event, to_cloud_event};
use serde_json::{Value, value::RawValue};
use std::collections::BTreeMap;

/// What the document is called as a content type.
pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
const DATA: &str = "data";
const DATA_BASE64: &str = "data_base64";
const DATA_CONTENT_TYPE: &str = "datacontenttype";
/// Of the CloudEvents "Distributed Tracing" extension; an envelope has them among its headers.
const TRACING: [&str; 2] = ["traceparent", "tracestate"];

/// What a content type says about how the payload is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    Bytes,
}

/// `envelope` as a CloudEvent in structured mode, the body of a webhook's request.
///
/// A JSON payload is copied byte for byte, without the blanks around it.
///
/// # Errors
/// serde refuses a text, which it does not.
pub fn to_json(envelope: &Envelope) -> Result<Bytes, serde_json::Error> {
    let mut json = serde_json::to_string(&to_cloud_event(envelope))?;
    // There are attributes always, so a comma follows them.
    json.pop();
    let payload = std::str::from_utf8(&envelope.payload).ok();
    let (name, data) = match (Kind::of(&envelope.content_type), payload) {
        (Kind::Text, Some(text)) => (DATA, serde_json::to_string(text)?),
        (Kind::Json, Some(text)) if let Ok(value) = serde_json::from_str::<&RawValue>(text) => (DATA, value.get().to_owned()),
        _ => (DATA_BASE64, format!("\"{}\"", BASE64.encode(&envelope.payload))),
    };
    json.extend([",\"", name, "\":", &data, "}"]);
    Ok(json.into())
}

/// The envelope of a CloudEvent in structured mode; the inverse of [`to_json`]. Strangers' attributes are left out.
///
/// # Errors
/// The body is no CloudEvent in JSON, or an attribute is missing or malformed; the error names it.
pub fn from_json(body: &[u8]) -> Result<Envelope, NotAnEvent> {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(body).map_err(|error| not_an_event(format!("its body is no JSON object: {error}")))?;
    let mut attributes = BTreeMap::new();
    for (name, raw) in &members {
        if ![DATA, DATA_BASE64].contains(&name.as_str())
            && let Some(value) = attribute(name, raw)?
        {
            attributes.insert(name.clone(), value);
        }
    }
    match attributes.get("specversion").map(String::as_str) {
        Some("1.0") => {}
        Some(other) => return Err(not_an_event(format!("its CloudEvents version is `{other}`, and only `1.0` is known"))),
        None => return Err(not_an_event("the attribute `specversion` is missing".to_owned())),
    }
    for name in TRACING {
        if let Some(value) = attributes.get(name).cloned() {
            attributes.entry(format!("header-{name}")).or_insert(value);
        }
    }
    let payload = match (members.get(DATA), members.get(DATA_BASE64)) {
        (Some(_), Some(_)) => return Err(not_an_event(format!("it has both `{DATA}` and `{DATA_BASE64}`"))),
        (Some(data), None) => written(data, attributes.get(DATA_CONTENT_TYPE).map(String::as_str))?,
        (None, Some(data)) => encoded(data)?,
        (None, None) => Bytes::new(),
    };
    from_cloud_event(&attributes, payload).map_err(|error| not_an_event(error.to_string()))
}

/// An attribute's value as text; `null` is none.
fn attribute(name: &str, raw: &RawValue) -> Result<Option<String>, NotAnEvent> {
    match serde_json::from_str(raw.get()) {
        Ok(Value::String(text)) => Ok(Some(text)),
        Ok(Value::Number(_) | Value::Bool(_)) => Ok(Some(raw.get().to_owned())),
        Ok(Value::Null) => Ok(None),
        _ => Err(not_an_event(format!("the attribute `{name}` is neither text nor a number"))),
    }
}

fn written(data: &RawValue, content_type: Option<&str>) -> Result<Bytes, NotAnEvent> {
    let is_json = content_type.is_none_or(|content_type| Kind::of(content_type) == Kind::Json);
    if is_json || !data.get().starts_with('"') {
        return Ok(data.get().to_owned().into());
    }
    let text: String = serde_json::from_str(data.get()).map_err(|error| not_an_event(format!("`{DATA}` is malformed: {error}")))?;
    Ok(text.into())
}

fn encoded(data: &RawValue) -> Result<Bytes, NotAnEvent> {
    let text: String = serde_json::from_str(data.get()).map_err(|_| not_an_event(format!("`{DATA_BASE64}` is no text")))?;
    BASE64.decode(text).map(Bytes::from).map_err(|error| not_an_event(format!("`{DATA_BASE64}` is malformed: {error}")))
}

impl Kind {
    fn of(content_type: &str) -> Self {
        let lower = content_type.to_ascii_lowercase();
        let mut parts = lower.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        // A text of another charset is bytes to us.
        let utf8 =
            parts.filter_map(|part| part.strip_prefix("charset=")).all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "us-ascii"));
        match media.split_once('/') {
            Some((_, subtype)) if utf8 && (subtype == "json" || subtype.ends_with("+json")) => Self::Json,
            Some(("text", _)) if utf8 => Self::Text,
            _ => Self::Bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events_core::{EventId, Headers};
    use time::OffsetDateTime;

    fn envelope(content_type: &'static str, payload: &'static [u8]) -> Envelope {
        Envelope {
            id: EventId::now(),
            topic: "order.payok".into(),
            version: 3,
            key: Some("Ключ \"7\"\r\n".into()),
            occurred_at: OffsetDateTime::UNIX_EPOCH + time::Duration::nanoseconds(1_234_567_891),
            source: "/orders/ü".into(),
            content_type: content_type.into(),
            headers: Headers::from([("Größe: XL".into(), " 50 % ".into()), ("traceparent".into(), "00-1-2-01".into())]),
            payload: Bytes::from_static(payload),
        }
    }

    fn member(json: &[u8], name: &str) -> Option<Value> {
        serde_json::from_slice::<Value>(json).unwrap().get(name).cloned()
    }

    #[test]
    fn every_envelope_survives_the_way_through_json() {
        let payloads: [(&str, &[u8], &str); 12] = [
            ("application/json", b"{\"b\": 1.10, \"a\":12345678901234567890123, \"\xc3\xbc\": [null]}", DATA),
            ("application/json", b"\"text\"", DATA),
            ("application/problem+json; charset=UTF-8", b"[1, 2]", DATA),
            ("application/json", b"{\"cut\":", DATA_BASE64),
            ("application/json", b"", DATA_BASE64),
            ("application/json", b"\"\xff\"", DATA_BASE64),
            ("text/plain", "Grüße\r\n\"\u{0}".as_bytes(), DATA),
            ("text/plain", b"", DATA),
            ("text/plain; charset=\"utf-8\"", b"{}", DATA),
            ("text/plain; charset=iso-8859-1", b"\xfc", DATA_BASE64),
            ("text/plain", b"\xfc", DATA_BASE64),
            ("application/octet-stream", &[0, 255, 13, 10], DATA_BASE64),
        ];
        for (content_type, payload, name) in payloads {
            for sent in
                [envelope(content_type, payload), Envelope { key: None, headers: Headers::new(), ..envelope(content_type, payload) }]
            {
                let json = to_json(&sent).unwrap();
                assert!(member(&json, name).is_some(), "{content_type}: {json:?}");
                assert_eq!(from_json(&json).unwrap(), sent);
            }
        }
    }

    #[test]
    fn a_json_payload_is_readable_by_everybody() {
        let json = to_json(&envelope("application/json", b" {\"order_id\": 7}\n")).unwrap();
        assert_eq!(member(&json, DATA).unwrap()["order_id"], 7);
        assert_eq!(member(&json, "type").unwrap(), "order.payok");
        assert_eq!(member(&json, "header-Größe: XL").unwrap(), " 50 % ");
        assert_eq!(from_json(&json).unwrap().payload, "{\"order_id\": 7}");
    }

    #[test]
    fn what_strangers_write_is_read() {
        let id = EventId::now();
        let json = format!(
            r#"{{"specversion":"1.0","id":"{id}","type":"t","source":"/s","eventversion":2,"partitionkey":null,"traceparent":"00-1-2-01",
                "stranger":true,"data":{{"a":1}}}}"#
        );
        let read = from_json(json.as_bytes()).unwrap();
        assert_eq!((read.id, read.version, read.key, &*read.payload), (id, 2, None, &b"{\"a\":1}"[..]));
        assert_eq!(read.headers, Headers::from([("traceparent".into(), "00-1-2-01".into())]));
    }

    #[test]
    fn what_is_no_event_is_an_error_that_says_why() {
        let said = |json: &str| from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(said("[]").contains("no JSON object"));
        assert!(said("{}").contains("`specversion` is missing"));
        assert!(said(r#"{"specversion":"0.3"}"#).contains("`0.3`"));
        assert!(said(r#"{"specversion":"1.0"}"#).contains("`id` is missing"));
        assert!(said(r#"{"specversion":"1.0","id":{}}"#).contains("`id` is neither"));
        assert!(said(r#"{"specversion":"1.0","data":1,"data_base64":""}"#).contains("both"));
        assert!(said(r#"{"specversion":"1.0","data_base64":"*"}"#).contains("`data_base64` is malformed"));
    }
}
