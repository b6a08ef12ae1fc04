//! The catalogue of what is linked: what the macros tell of events and handlers, and what follows from it.

#![allow(clippy::unwrap_used)]

use events_core::{
    Catalog, CatalogEvent, DeliveryError, Envelope, EventsLock, Severity, Upcast, after_commit, before_commit, catalog, domain_event,
    subscribe,
};
use events_sqlx::sqlite::UnitOfWork;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Money {
    cents: i64,
}

#[domain_event(topic = "catalog.paid", key = order_id, delay = "5s", to = "nats")]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Paid {
    order_id: Uuid,
    #[event(sensitive)]
    card_number: String,
    note: Option<Cow<'static, str>>,
    #[serde(default)]
    tags: Vec<String>,
    rates: BTreeMap<String, f64>,
    #[serde(rename = "when", with = "time::serde::rfc3339")]
    paid_at: OffsetDateTime,
    attempts: u8,
    #[serde(skip)]
    cached: bool,
}

#[domain_event(topic = "catalog.priced")]
#[derive(Serialize, Deserialize)]
struct PricedV1 {
    euros: i64,
}

#[domain_event(topic = "catalog.priced", version = 2, upcasts = PricedV1, key = format!("order-{}", self.id))]
#[derive(Serialize, Deserialize)]
struct Priced {
    id: i64,
    price: Money,
}

impl Upcast<PricedV1> for Priced {
    fn upcast(old: PricedV1) -> Self {
        Self { id: 0, price: Money { cents: old.euros * 100 } }
    }
}

#[derive(schemars::JsonSchema, Serialize, Deserialize)]
struct Address {
    city: String,
}

#[domain_event(topic = "catalog.moved")]
#[derive(schemars::JsonSchema, Serialize, Deserialize)]
struct Moved {
    /// Where to.
    #[event(sensitive)]
    address: Address,
}

#[domain_event(topic = "catalog.opaque")]
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Opaque {
    inner: Money,
}

#[after_commit(attempts = 5, backoff = "1s..10m", timeout = "7s", idempotent)]
async fn catalog_mail(_event: Paid) {}

#[after_commit]
async fn catalog_book(_event: Priced, _uow: &mut UnitOfWork) -> Result<(), DeliveryError> {
    Ok(())
}

#[before_commit]
async fn catalog_check(_event: &Moved) {}

#[subscribe(group = "catalog")]
async fn catalog_hear(_event: Opaque) {}

#[track_caller]
fn event(catalog: &Catalog, topic: &str, version: u16) -> CatalogEvent {
    catalog.event(topic, version).unwrap_or_else(|| panic!("{topic} v{version} is linked")).clone()
}

#[test]
fn an_event_tells_everything_that_its_annotation_and_its_fields_say() {
    let catalog = catalog();
    let paid = event(&catalog, "catalog.paid", 1);
    assert_eq!((paid.oldest, paid.local, paid.to, paid.key), (1, false, Some("nats"), Some("order_id")));
    assert_eq!((paid.delay.unwrap().as_secs(), paid.sensitive), (5, ["cardNumber"].as_slice()));
    assert!(paid.type_name.ends_with("::Paid"));
    let fields: Vec<_> = paid.fields.iter().map(|field| (field.name, field.rust_type, field.optional, field.sensitive)).collect();
    assert_eq!(
        fields,
        [
            ("orderId", "Uuid", false, false),
            ("cardNumber", "String", false, true),
            ("note", "Option<Cow<'static, str>>", true, false),
            ("tags", "Vec<String>", true, false),
            ("rates", "BTreeMap<String, f64>", false, false),
            ("when", "OffsetDateTime", false, false),
            ("attempts", "u8", false, false),
        ]
    );
    assert_eq!(
        paid.schema,
        json!({
            "type": "object",
            "properties": {
                "orderId": { "type": "string", "format": "uuid" },
                "cardNumber": { "type": "string", "x-sensitive": true },
                "note": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
                "tags": { "type": "array", "items": { "type": "string" } },
                "rates": { "type": "object", "additionalProperties": { "type": "number", "format": "double" } },
                "when": { "type": "string", "format": "date-time" },
                "attempts": { "type": "integer", "format": "uint8", "minimum": 0 },
            },
            "required": ["orderId", "cardNumber", "rates", "when", "attempts"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn the_names_are_those_that_serde_writes() {
    let paid = Paid {
        order_id: Uuid::nil(),
        card_number: "4111".into(),
        note: None,
        tags: Vec::new(),
        rates: BTreeMap::new(),
        paid_at: OffsetDateTime::UNIX_EPOCH,
        attempts: 1,
        cached: true,
    };
    let envelope = Envelope::seal(&paid, &"/".into()).unwrap();
    let written: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&envelope.payload).unwrap();
    let mut told: Vec<_> = event(&catalog(), "catalog.paid", 1).fields.iter().map(|field| field.name).collect();
    told.sort_unstable();
    assert_eq!(written.keys().map(String::as_str).collect::<Vec<_>>(), told);
    assert!(!envelope.masked().contains("4111") && !format!("{paid:?}").contains("4111") && paid.cached);
}

#[test]
fn what_was_sent_before_a_field_was_sensitive_is_masked_where_the_type_is_known() {
    let mut envelope = Envelope::seal(&PricedV1 { euros: 7 }, &"/".into()).unwrap();
    envelope.topic = "catalog.moved".into();
    envelope.payload = br#"{"address":{"city":"Ulm"},"note":1}"#.to_vec().into();
    assert_eq!(envelope.masked(), r#"{"address":"***","note":1}"#);
}

#[test]
fn a_type_that_derives_its_schema_is_described_by_it() {
    let moved = event(&catalog(), "catalog.moved", 1);
    assert_eq!(moved.schema["definitions"]["Address"]["properties"]["city"]["type"], "string");
    assert_eq!(moved.schema["properties"]["address"]["x-sensitive"], true);
    assert_eq!(moved.schema["properties"]["address"]["description"], "Where to.");
}

#[test]
fn what_cannot_be_told_is_not_told() {
    let opaque = event(&catalog(), "catalog.opaque", 1);
    assert_eq!((opaque.fields.len(), opaque.schema), (0, json!({ "type": "object" })));
    let priced = event(&catalog(), "catalog.priced", 2);
    assert_eq!((priced.oldest, priced.key), (1, Some(r#"format!("order-{}", self.id)"#)));
    assert_eq!(priced.schema["properties"]["price"], json!({ "x-rust-type": "Money" }));
}

#[test]
fn a_handler_tells_what_it_takes_and_what_a_second_call_means() {
    let catalog = catalog();
    let handler = |name: &str| catalog.handlers.iter().find(|handler| handler.name == name).unwrap().clone();
    let mail = handler("catalog_mail");
    assert_eq!((mail.topic, mail.versions, mail.phase, mail.group), ("catalog.paid", (1, 1), "after_commit", None));
    assert_eq!((mail.attempts, mail.backoff.as_deref(), mail.timeout.unwrap().as_secs()), (Some(5), Some("1s..600s"), 7));
    assert_eq!((mail.repetition, mail.unit_of_work), ("idempotent", false));
    let book = handler("catalog_book");
    assert_eq!((book.versions, book.repetition, book.unit_of_work, book.attempts), ((1, 2), "exactly_once", true, Some(12)));
    assert_eq!((handler("catalog_hear").group, handler("catalog_hear").repetition), (Some("catalog"), "exactly_once"));
    assert_eq!((handler("catalog_check").phase, handler("catalog_check").attempts), ("before_commit", None));
    let json = serde_json::to_value(&catalog).unwrap();
    assert!(json["handlers"].as_array().unwrap().iter().any(|handler| handler["timeout_ms"] == 7_000));
}

#[test]
fn an_async_api_document_is_made_of_it() {
    let document = catalog().to_asyncapi("Shop", "1.0.0");
    if let Ok(path) = std::env::var("ASYNCAPI_OUT") {
        std::fs::write(path, document.to_string()).unwrap();
    }
    assert_eq!(document["components"]["messages"]["catalog.paid.v1"]["title"], "Paid");
    assert_eq!(document["channels"]["catalog.priced"]["messages"].as_object().unwrap().len(), 2);
    assert_eq!(document["operations"]["receive.catalog_hear"]["action"], "receive");
    assert!(document["operations"].get("send.catalog.opaque").is_none(), "what only subscribers take comes from elsewhere");
}

#[test]
fn what_is_locked_now_has_not_changed() {
    let lock = catalog().lock();
    let read = EventsLock::parse(&lock.to_string()).unwrap();
    assert_eq!(read, lock);
    let changes = read.check(&catalog());
    let of_the_catalogue: Vec<_> = changes.iter().filter(|change| change.topic.starts_with("catalog.")).collect();
    // `Money` says nothing of itself, so there is no sample of what contains it.
    assert!(of_the_catalogue.iter().all(|change| change.severity == Severity::Warning && change.message.contains("sample")));
    let topics: Vec<_> = of_the_catalogue.iter().map(|change| (&*change.topic, change.version)).collect();
    assert_eq!(topics, [("catalog.opaque", 1), ("catalog.priced", 2)]);
    let paid = &lock.events["catalog.paid"][&1];
    assert_eq!(paid.sample.as_ref().unwrap()["when"], "2026-01-31T12:30:00Z");
    assert!(paid.fields.as_ref().unwrap()["cardNumber"].sensitive && paid.strict);
}

#[test]
fn a_sample_of_an_old_version_is_read_by_its_own_type_and_by_the_next_one() {
    let mut lock = catalog().lock();
    let sample = |lock: &mut EventsLock, sample| lock.events.get_mut("catalog.priced").unwrap().get_mut(&1).unwrap().sample = Some(sample);
    sample(&mut lock, json!({ "euros": 7 }));
    let broken = |lock: &EventsLock| lock.check(&catalog()).iter().filter(|change| change.severity == Severity::Breaking).count();
    assert_eq!(broken(&lock), 0);
    sample(&mut lock, json!({ "pounds": 7 }));
    assert_eq!(broken(&lock), 2);
}
