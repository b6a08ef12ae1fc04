//! The catalogue: which events and handlers are linked into this program, and what their payloads look like. Needs no outbox.

use crate::event::EventDescriptor;
use crate::handler::{Effects, HandlerCall, HandlerDescriptor};
use crate::targets::TIMEOUT;
use crate::{Backoff, DomainEvent, Phase, RetryPolicy};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

/// What is linked into this program: every `#[domain_event]`, and every handler that is not `manual`.
///
/// ```standalone_crate
/// use events_core::{catalog, domain_event};
/// # use serde::{Deserialize, Serialize};
/// #[domain_event(topic = "order.paid", key = order_id)]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPaid {
///     order_id: i64,
///     note: Option<String>,
/// }
///
/// let catalog = catalog();
/// let paid = catalog.event("order.paid", 1).unwrap();
/// assert_eq!(paid.key, Some("order_id"));
/// assert_eq!(paid.schema["required"], serde_json::json!(["order_id"]));
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Catalog {
    /// By topic and version.
    pub events: Vec<CatalogEvent>,
    /// By name.
    pub handlers: Vec<CatalogHandler>,
}

/// An event type.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CatalogEvent {
    /// The kind of fact.
    pub topic: &'static str,
    /// Version of the payload's shape.
    pub version: u16,
    /// The oldest version that the type reads.
    pub oldest: u16,
    /// The first version of which events exist anywhere.
    pub since: u16,
    /// The Rust type.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// Whether the event stays in the process.
    pub local: bool,
    /// The one transport that takes it, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'static str>,
    /// How long after COMMIT it becomes deliverable, in milliseconds.
    #[serde(rename = "delay_ms", serialize_with = "millis", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// The ordering key: a field's name, or an expression as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'static str>,
    /// The names of the sensitive fields.
    pub sensitive: &'static [&'static str],
    /// The fields of the payload, in the order in which they were declared. Empty, too, where they cannot be told: of a `DomainEvent` that was
    /// written by hand, or with `#[serde(into = ..)]` and the like.
    pub fields: Vec<CatalogField>,
    /// JSON Schema (draft 7) of the payload: that of schemars' `JsonSchema` if the type derives it, or what the fields' types tell.
    pub schema: Value,
    /// Whether the fields can be told.
    #[serde(skip)]
    pub(crate) known: bool,
    /// Whether a payload with other fields is refused.
    #[serde(skip)]
    pub(crate) strict: bool,
    #[serde(skip)]
    pub(crate) fits: fn(u16, &[u8]) -> Result<(), String>,
}

/// A field of a payload.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CatalogField {
    /// In the payload.
    pub name: &'static str,
    /// Its Rust type as it was written.
    #[serde(rename = "type")]
    pub rust_type: &'static str,
    /// Whether it may be missing where a payload is read: an `Option`, or with a serde default.
    pub optional: bool,
    /// Whether its value must not be shown.
    pub sensitive: bool,
    /// JSON Schema of its value, as far as its type's tokens tell.
    pub schema: Value,
}

/// A handler.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CatalogHandler {
    /// Its name, under which deliveries are stored.
    pub name: &'static str,
    /// The topic of its event.
    pub topic: &'static str,
    /// The oldest and the newest version it reads.
    pub versions: (u16, u16),
    /// When it runs: `before_commit`, `after_commit`, `after_rollback`, `after_completion` or `subscribe`.
    pub phase: &'static str,
    /// Whose subscription it hears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'static str>,
    /// How often it is called, the first call included; `None` where nothing is repeated, or where the broker decides. Where the handler says
    /// nothing it is the library's default, which an outbox may replace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The waits between attempts, as in `backoff = ".."`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<String>,
    /// How long a call may take, in milliseconds.
    #[serde(rename = "timeout_ms", serialize_with = "millis", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What a second call with the same event means: `exactly_once` (its effect is settled together with its unit of work), `idempotent`,
    /// `at_most_once`, or `unsaid`.
    pub repetition: &'static str,
    /// Whether it takes `&mut UnitOfWork`.
    pub unit_of_work: bool,
}

/// The catalogue of what is linked into this program.
#[must_use]
pub fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for event in inventory::iter::<EventDescriptor> {
        catalog.add(event);
    }
    catalog.handlers = inventory::iter::<&'static HandlerDescriptor>.into_iter().map(|handler| CatalogHandler::of(handler)).collect();
    catalog.handlers.sort_by_key(|handler| (handler.name, handler.topic));
    catalog
}

impl Catalog {
    /// Adds an event whose `DomainEvent` was written by hand.
    #[must_use]
    pub fn with_event<E: DomainEvent>(mut self) -> Self {
        self.add(&EventDescriptor::of::<E>());
        self
    }

    /// The event of a topic and version.
    #[must_use]
    pub fn event(&self, topic: &str, version: u16) -> Option<&CatalogEvent> {
        self.events.iter().find(|event| event.topic == topic && event.version == version)
    }

    /// The events that read payloads of a topic and version, the newest last.
    pub(crate) fn readers<'a>(&'a self, topic: &'a str, version: u16) -> impl Iterator<Item = &'a CatalogEvent> {
        self.events.iter().filter(move |event| event.topic == topic && (event.oldest..=event.version).contains(&version))
    }

    pub(crate) fn add(&mut self, event: &EventDescriptor) {
        let event = CatalogEvent::of(event);
        if !self.events.iter().any(|known| (known.topic, known.version, known.type_name) == (event.topic, event.version, event.type_name)) {
            self.events.push(event);
        }
        self.events.sort_by_key(|event| (event.topic, event.version, event.type_name));
    }
}

impl CatalogEvent {
    fn of(event: &EventDescriptor) -> Self {
        let field = |field: &crate::shape::FieldDescriptor| {
            let mut schema: Value = serde_json::from_str(field.schema).unwrap_or_else(|_| json!({}));
            if let (true, Some(object)) = (field.sensitive, schema.as_object_mut()) {
                object.insert("x-sensitive".to_owned(), Value::Bool(true));
            }
            CatalogField { name: field.name, rust_type: field.rust, optional: field.optional, sensitive: field.sensitive, schema }
        };
        let fields: Vec<CatalogField> = event.shape.fields.iter().map(field).collect();
        let schema = match (event.schema)() {
            Some(derived) => marked(derived, event.sensitive),
            None => object(&fields, &event.shape),
        };
        Self {
            topic: event.topic,
            version: event.version,
            oldest: event.oldest,
            since: event.since,
            type_name: (event.type_name)(),
            local: event.local,
            to: event.to,
            delay: event.delay,
            key: event.shape.key,
            sensitive: event.sensitive,
            fields,
            schema,
            known: event.shape.known,
            strict: event.shape.strict,
            fits: event.fits,
        }
    }
}

impl CatalogHandler {
    fn of(handler: &HandlerDescriptor) -> Self {
        let is_delivered = matches!(handler.phase, Phase::AfterCommit | Phase::Subscribe);
        let retry = (handler.phase == Phase::AfterCommit).then(|| handler.options.retry(&RetryPolicy::default()));
        let unit_of_work = matches!(handler.call, HandlerCall::InUnitOfWork { .. });
        let repetition = match (handler.phase, handler.options.effects) {
            (Phase::Subscribe, _) => "exactly_once",
            (_, Some(Effects::Idempotent)) => "idempotent",
            (_, Some(Effects::AtMostOnce)) => "at_most_once",
            (Phase::AfterCommit, None) if !unit_of_work => "unsaid",
            (Phase::AfterCommit | Phase::BeforeCommit, None) => "exactly_once",
            (Phase::AfterRollback | Phase::AfterCompletion, None) => "at_most_once",
        };
        Self {
            name: handler.name,
            topic: handler.event.topic,
            versions: (handler.event.oldest, handler.event.version),
            phase: match handler.phase {
                Phase::BeforeCommit => "before_commit",
                Phase::AfterCommit => "after_commit",
                Phase::AfterRollback => "after_rollback",
                Phase::AfterCompletion => "after_completion",
                Phase::Subscribe => "subscribe",
            },
            group: handler.group,
            attempts: retry.as_ref().map(RetryPolicy::most_attempts),
            backoff: retry.as_ref().filter(|retry| retry.most_attempts() > 1).map(|retry| written(retry.waits())),
            timeout: is_delivered.then(|| handler.options.timeout.unwrap_or(TIMEOUT)),
            repetition,
            unit_of_work,
        }
    }
}

/// The schema that the fields make.
fn object(fields: &[CatalogField], shape: &crate::shape::Shape) -> Value {
    let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
    if shape.known {
        let properties: Map<String, Value> = fields.iter().map(|field| (field.name.to_owned(), field.schema.clone())).collect();
        let required: Vec<&str> = fields.iter().filter(|field| !field.optional).map(|field| field.name).collect();
        schema.insert("properties".to_owned(), properties.into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
    }
    if shape.strict {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    Value::Object(schema)
}

/// A schema that the type brought, with a mark on its sensitive properties.
fn marked(mut schema: Value, sensitive: &[&str]) -> Value {
    for name in sensitive {
        match schema.get_mut("properties").and_then(|properties| properties.get_mut(*name)) {
            Some(Value::Object(property)) => {
                property.insert("x-sensitive".to_owned(), Value::Bool(true));
            }
            // `true` is the schema of everything.
            Some(other) => *other = json!({ "x-sensitive": true }),
            None => {}
        }
    }
    schema
}

/// Waits as the annotation writes them.
fn written(backoff: &Backoff) -> String {
    let mut text = String::new();
    let mut add = |joint: &str, wait: &Duration| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{}{wait:?}", if joint.is_empty() { "" } else { joint });
    };
    match backoff {
        Backoff::Exponential { first, max } => {
            add("", first);
            add("..", max);
        }
        Backoff::Fixed(wait) => add("", wait),
        Backoff::Schedule(waits) => waits.iter().enumerate().for_each(|(number, wait)| add(if number == 0 { "" } else { ", " }, wait)),
    }
    text
}

fn millis<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{FieldDescriptor, Shape};

    const CARD: FieldDescriptor =
        FieldDescriptor { name: "card", rust: "String", optional: false, sensitive: true, schema: r#"{"type":"string"}"# };
    const NOTE: FieldDescriptor = FieldDescriptor {
        name: "note",
        rust: "Option<Money>",
        optional: true,
        sensitive: false,
        schema: r#"{"x-rust-type":"Option<Money>"}"#,
    };
    const CHARGED: EventDescriptor = EventDescriptor {
        topic: "card.charged",
        version: 2,
        oldest: 1,
        since: 1,
        delay: Some(Duration::from_millis(1500)),
        sensitive: &["card"],
        shape: Shape { known: true, strict: true, key: Some("order_id"), fields: &[CARD, NOTE] },
        type_name: || "shop::CardCharged",
        ..EventDescriptor::NOTHING
    };

    #[test]
    fn a_schema_is_made_of_the_fields() {
        let event = CatalogEvent::of(&CHARGED);
        let expected = json!({
            "type": "object",
            "properties": { "card": { "type": "string", "x-sensitive": true }, "note": { "x-rust-type": "Option<Money>" } },
            "required": ["card"],
            "additionalProperties": false,
        });
        assert_eq!(event.schema, expected);
    }

    #[test]
    fn a_schema_of_its_own_goes_first_and_its_sensitive_fields_are_marked_too() {
        let derived = || Some(json!({ "title": "CardCharged", "properties": { "card": true, "note": {} } }));
        let event = CatalogEvent::of(&EventDescriptor { schema: derived, ..CHARGED });
        assert_eq!(event.schema["title"], "CardCharged");
        assert_eq!(event.schema["properties"], json!({ "card": { "x-sensitive": true }, "note": {} }));
    }

    #[test]
    fn of_an_unknown_shape_nothing_is_claimed() {
        let event = CatalogEvent::of(&EventDescriptor { shape: Shape::UNKNOWN, ..CHARGED });
        assert_eq!(event.schema, json!({ "type": "object" }));
    }

    #[test]
    fn it_is_written_as_json() {
        let mut catalog = Catalog::default();
        catalog.add(&CHARGED);
        catalog.add(&CHARGED);
        let json = serde_json::to_value(&catalog).unwrap();
        assert_eq!(json["events"].as_array().unwrap().len(), 1, "each type once");
        let event = &json["events"][0];
        assert_eq!((&event["type"], &event["delay_ms"], &event["to"]), (&json!("shop::CardCharged"), &json!(1500), &Value::Null));
        assert_eq!(event["fields"][0]["name"], "card");
    }

    #[test]
    fn waits_are_written_as_in_the_annotation() {
        let seconds = Duration::from_secs;
        assert_eq!(written(&Backoff::Exponential { first: seconds(1), max: seconds(600) }), "1s..600s");
        assert_eq!(written(&Backoff::Fixed(Duration::from_millis(250))), "250ms");
        assert_eq!(written(&Backoff::Schedule(const { &[Duration::from_secs(1), Duration::from_secs(5)] })), "1s, 5s");
    }
}
