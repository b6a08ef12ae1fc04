//! Each change by a release before and a release now, as two modules that declare the same topic. By hand, because nobody may link both.

use super::*;
use crate::event::EventDescriptor;
use crate::shape::{FieldDescriptor, Shape};
use crate::{DomainEvent, Upcast};
use serde::{Deserialize, Serialize};

const I64: &str = r#"{"type":"integer","format":"int64"}"#;
const I32: &str = r#"{"type":"integer","format":"int32"}"#;
const TEXT: &str = r#"{"type":"string"}"#;

const fn field(name: &'static str, rust: &'static str, schema: &'static str) -> FieldDescriptor {
    FieldDescriptor { name, rust, optional: false, sensitive: false, schema }
}

const fn optional(field: FieldDescriptor) -> FieldDescriptor {
    FieldDescriptor { optional: true, ..field }
}

const fn sensitive(field: FieldDescriptor) -> FieldDescriptor {
    FieldDescriptor { sensitive: true, ..field }
}

fn shape(fields: &[FieldDescriptor]) -> Shape {
    Shape { fields: fields.to_vec().leak(), ..BEFORE.shape }
}

const ID: FieldDescriptor = field("id", "i64", I64);
const CENTS: FieldDescriptor = field("cents", "i32", I32);

const BEFORE: EventDescriptor = EventDescriptor {
    topic: "order.paid",
    version: 1,
    oldest: 1,
    since: 1,
    shape: Shape { known: true, strict: false, key: Some("id"), fields: &[ID, CENTS] },
    type_name: || "shop::OrderPaid",
    ..EventDescriptor::NOTHING
};

fn catalog(events: &[EventDescriptor]) -> Catalog {
    let mut catalog = Catalog::default();
    events.iter().for_each(|event| catalog.add(event));
    catalog
}

fn changes(before: &[EventDescriptor], now: &[EventDescriptor]) -> Vec<Change> {
    // Through its text, as in a repository.
    let text = catalog(before).lock().to_string();
    EventsLock::parse(&text).unwrap().check(&catalog(now))
}

#[track_caller]
fn only(before: EventDescriptor, now: EventDescriptor, severity: Severity, says: &[&str]) {
    let changes = changes(&[before], &[now]);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].severity, severity, "{}", changes[0]);
    for said in says {
        assert!(changes[0].to_string().contains(said), "`{said}` is not in: {}", changes[0]);
    }
}

fn now(fields: &[FieldDescriptor]) -> EventDescriptor {
    EventDescriptor { shape: shape(fields), ..BEFORE }
}

#[test]
fn what_has_not_changed_is_no_change() {
    assert_eq!(changes(&[BEFORE], &[BEFORE]), []);
    assert_eq!(changes(&[BEFORE], &[now(&[CENTS, ID])]), [], "the order of fields is none of JSON's");
}

#[test]
fn a_field_that_is_gone_breaks() {
    only(BEFORE, now(&[ID]), Severity::Breaking, &["`order.paid` v1", "`cents` is gone", "version = 2, upcasts"]);
    assert_eq!(changes(&[BEFORE], &[now(&[ID])])[0].field.as_deref(), Some("cents"));
}

#[test]
fn a_field_that_was_renamed_breaks_and_its_new_name_is_guessed() {
    let found = changes(&[BEFORE], &[now(&[ID, field("amount", "i32", I32)])]);
    assert!(found[0].message.contains("renamed to `amount`"), "{}", found[0]);
    assert!(found.iter().all(|change| change.severity == Severity::Breaking));
}

#[test]
fn a_new_field_breaks_only_if_it_is_required() {
    only(
        BEFORE,
        now(&[ID, CENTS, field("note", "String", TEXT)]),
        Severity::Breaking,
        &["`note` is new and required", "`#[serde(default)]`"],
    );
    only(BEFORE, now(&[ID, CENTS, optional(field("note", "String", TEXT))]), Severity::Compatible, &["passes over it"]);
}

#[test]
fn a_new_field_is_a_warning_where_the_release_before_refuses_unknown_ones() {
    let strict = EventDescriptor { shape: Shape { strict: true, ..BEFORE.shape }, ..BEFORE };
    let new = EventDescriptor { shape: Shape { strict: true, ..shape(&[ID, CENTS, optional(field("note", "String", TEXT))]) }, ..BEFORE };
    only(strict, new, Severity::Warning, &["roll-back"]);
}

#[test]
fn a_type_that_changed_breaks_unless_the_old_json_is_read() {
    only(BEFORE, now(&[ID, field("cents", "String", TEXT)]), Severity::Breaking, &["`i32`", "`String`"]);
    only(BEFORE, now(&[ID, field("cents", "i16", r#"{"type":"integer","format":"int16"}"#)]), Severity::Breaking, &["`i16`"]);
    only(BEFORE, now(&[ID, field("cents", "u64", r#"{"type":"integer","format":"uint64","minimum":0}"#)]), Severity::Breaking, &["`u64`"]);
    only(BEFORE, now(&[ID, field("cents", "i64", I64)]), Severity::Warning, &["release before"]);
    only(BEFORE, now(&[ID, field("cents", "Box<i32>", I32)]), Severity::Compatible, &["the JSON is the same"]);
    const MAYBE: &str = r#"{"anyOf":[{"type":"integer","format":"int32"},{"type":"null"}]}"#;
    only(BEFORE, now(&[ID, optional(field("cents", "Option<i32>", MAYBE))]), Severity::Warning, &["release before"]);
}

#[test]
fn the_same_type_may_be_written_in_another_way() {
    const TIME: &str = r#"{"type":"string","format":"date-time"}"#;
    const UNKNOWN: &str = r#"{"x-rust-type":"OffsetDateTime"}"#;
    let at = |schema| [ID, optional(field("at", "OffsetDateTime", schema))];
    let found =
        |before, after| changes(&[now(&at(before))], &[now(&at(after))]).into_iter().map(|change| change.severity).collect::<Vec<_>>();
    assert_eq!(found(UNKNOWN, TIME), [Severity::Warning]);
    assert_eq!(found(TIME, UNKNOWN), [Severity::Warning]);
    assert_eq!(found(TIME, TEXT), [Severity::Breaking]);
    assert_eq!(found(TIME, TIME), []);
}

#[test]
fn of_types_nobody_knows_another_one_breaks() {
    const A: &[FieldDescriptor] = &[field("id", "Money", r#"{"x-rust-type":"Money"}"#)];
    const B: &[FieldDescriptor] = &[field("id", "Price", r#"{"x-rust-type":"Price"}"#)];
    let found = changes(&[now(A)], &[now(B)]);
    assert!(found.iter().any(|change| change.severity == Severity::Breaking && change.field.is_some()), "{found:?}");
    assert!(found.iter().any(|change| change.severity == Severity::Warning && change.message.contains("no sample")), "{found:?}");
}

#[test]
fn an_optional_field_that_becomes_required_breaks() {
    only(now(&[ID, optional(CENTS)]), BEFORE, Severity::Breaking, &["was optional and is required"]);
    only(BEFORE, now(&[ID, optional(CENTS)]), Severity::Compatible, &["may be missing now"]);
}

#[test]
fn another_key_breaks_the_order() {
    let other = EventDescriptor { shape: Shape { key: Some("customer"), ..BEFORE.shape }, ..BEFORE };
    only(BEFORE, other, Severity::Breaking, &["was `id` and is `customer`", "order"]);
}

#[test]
fn what_is_not_sensitive_any_more_is_a_warning() {
    only(now(&[ID, sensitive(CENTS)]), BEFORE, Severity::Warning, &["was sensitive"]);
    only(BEFORE, now(&[ID, sensitive(CENTS)]), Severity::Compatible, &["sensitive now"]);
}

#[test]
fn a_version_that_is_gone_breaks_unless_it_is_read_or_none_exists() {
    let next = EventDescriptor { version: 2, oldest: 2, type_name: || "shop::OrderPaidV2", ..BEFORE };
    let severity = |now: &[EventDescriptor]| {
        let found = changes(&[BEFORE], now);
        found.iter().find(|change| change.version == 1).map(|change| (change.severity, change.message.clone())).unwrap()
    };
    assert_eq!(severity(&[]).0, Severity::Breaking);
    assert_eq!(severity(&[next]).0, Severity::Breaking);
    assert!(severity(&[next]).1.contains("upcasts"));
    assert_eq!(severity(&[EventDescriptor { oldest: 1, ..next }]).0, Severity::Compatible);
    assert_eq!(severity(&[EventDescriptor { since: 2, ..next }]).0, Severity::Compatible);
}

#[test]
fn a_new_version_that_reads_the_old_one_is_new_and_nothing_worse() {
    let next = EventDescriptor { version: 2, shape: shape(&[ID, field("amount", "String", TEXT)]), ..BEFORE };
    let found = changes(&[BEFORE], &[BEFORE, next]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].severity, found[0].version), (Severity::New, 2));
    assert!(found[0].message.contains("reads those before") && found[0].message.contains("hands such events back"), "{}", found[0]);
}

#[test]
fn a_new_version_with_another_key_is_a_warning() {
    let next = EventDescriptor { version: 2, shape: Shape { key: Some("customer"), ..BEFORE.shape }, ..BEFORE };
    let found = changes(&[BEFORE], &[BEFORE, next]);
    assert!(found.iter().any(|change| change.severity == Severity::Warning && change.message.contains("`customer`")), "{found:?}");
}

#[test]
fn the_worst_comes_first() {
    let found = changes(&[BEFORE], &[now(&[ID, optional(field("note", "String", TEXT))])]);
    assert_eq!(found.iter().map(|change| change.severity).collect::<Vec<_>>(), [Severity::Breaking, Severity::Compatible]);
}

mod samples {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Old {
        id: i64,
        place: Place,
    }

    #[derive(Serialize, Deserialize)]
    struct Place {
        city: String,
    }

    impl DomainEvent for Old {
        const TOPIC: &'static str = "order.moved";
    }

    #[derive(Serialize, Deserialize)]
    struct Nested {
        id: i64,
        place: Street,
    }

    #[derive(Serialize, Deserialize)]
    struct Street {
        street: String,
    }

    impl DomainEvent for Nested {
        const TOPIC: &'static str = "order.moved";
        const SENSITIVE: &'static [&'static str] = &["place"];
    }

    #[derive(Serialize, Deserialize)]
    struct Next {
        id: String,
    }

    impl DomainEvent for Next {
        const TOPIC: &'static str = "order.moved";
        const VERSION: u16 = 2;
        const OLDEST: u16 = 1;

        fn decode_version(version: u16, payload: &[u8]) -> Result<Self, serde_json::Error> {
            if version >= 2 { serde_json::from_slice(payload) } else { serde_json::from_slice(payload).map(<Self as Upcast<Old>>::upcast) }
        }
    }

    impl Upcast<Old> for Next {
        fn upcast(old: Old) -> Self {
            Self { id: old.id.to_string() }
        }
    }

    fn locked(sample: Value) -> EventsLock {
        let mut lock = Catalog::default().with_event::<Old>().lock();
        lock.events.get_mut("order.moved").unwrap().get_mut(&1).unwrap().sample = Some(sample);
        lock
    }

    #[test]
    fn a_sample_finds_what_the_names_of_types_do_not_tell() {
        let lock = locked(json!({ "id": 1, "place": { "city": "Ulm" } }));
        assert_eq!(lock.check(&Catalog::default().with_event::<Old>()), []);
        let found = lock.check(&Catalog::default().with_event::<Nested>());
        assert_eq!((found.len(), found[0].severity), (1, Severity::Breaking), "{found:?}");
        assert!(found[0].message.contains("Nested"), "{}", found[0]);
    }

    #[test]
    fn what_is_sensitive_is_not_quoted() {
        let lock = locked(json!({ "id": 1, "place": "4111 1111" }));
        let found = lock.check(&Catalog::default().with_event::<Nested>());
        assert!(!found[0].message.contains("4111") && found[0].message.contains("line 1"), "{}", found[0]);
    }

    #[test]
    fn every_type_that_reads_a_version_reads_its_sample() {
        let (both, good) = (Catalog::default().with_event::<Old>().with_event::<Next>(), json!({ "id": 1, "place": { "city": "Ulm" } }));
        assert!(locked(good).check(&both).iter().all(|change| change.severity == Severity::New));
        let bad = locked(json!({ "id": "one" })).check(&both);
        assert_eq!(bad.iter().filter(|change| change.severity == Severity::Breaking).count(), 2, "{bad:?}");
    }

    #[test]
    fn a_sample_that_somebody_wrote_is_kept_as_long_as_it_is_read() {
        let mine = json!({ "id": 77, "place": { "city": "Ulm" } });
        let catalog = Catalog::default().with_event::<Old>();
        assert_eq!(catalog.relock(&locked(mine.clone())), locked(mine.clone()));
        let unread = catalog.relock(&locked(json!({ "id": "?" })));
        assert_eq!(unread.events["order.moved"][&1].sample, None);
        // The type is gone, and another one reads its version.
        let next = Catalog::default().with_event::<Next>();
        assert_eq!(next.relock(&locked(mine.clone())).events["order.moved"][&1].sample, Some(mine));
    }
}

#[test]
fn a_lock_that_is_none_is_refused_with_the_cure() {
    let error = EventsLock::parse("[]").unwrap_err().to_string();
    assert!(error.contains("outbox schema lock"), "{error}");
    let error = EventsLock::parse(r#"{"format": 2, "events": {}}"#).unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
}

#[test]
fn its_text_is_always_the_same() {
    let one = catalog(&[BEFORE, EventDescriptor { topic: "a.b", ..BEFORE }]).lock().to_string();
    let other = catalog(&[EventDescriptor { topic: "a.b", ..BEFORE }, BEFORE]).lock().to_string();
    assert_eq!(one, other);
    assert!(one.find("a.b").unwrap() < one.find("order.paid").unwrap());
    assert!(one.ends_with("}\n"));
}
