//! The schema lock: a file under version control that says what payloads looked like at the last release, so that a change which old events or
//! old processes would not survive is found before it is deployed.

use crate::BoxError;
use crate::catalog::{Catalog, CatalogEvent};
use crate::sample;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The only format there is.
const FORMAT: u32 = 1;

/// What events looked like when they were locked. Its text is JSON in a stable order, so that a diff shows what changed and nothing else.
///
/// ```standalone_crate
/// use events_core::{EventsLock, Severity, catalog};
///
/// let text = catalog().lock().to_string(); // to be kept as events.lock.json
/// let lock = EventsLock::parse(&text).unwrap();
/// assert!(lock.check(&catalog()).iter().all(|change| change.severity < Severity::Breaking));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsLock {
    format: u32,
    /// By topic and version.
    pub events: BTreeMap<String, BTreeMap<u16, LockedEvent>>,
}

/// What an event looked like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedEvent {
    /// The ordering key as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether a payload with other fields was refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
    /// The fields by name; `None` where they could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeMap<String, LockedField>>,
    /// A payload that must go on being read. Made of the schema when the event was locked, and kept when somebody puts a better one there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Value>,
}

/// What a field looked like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedField {
    /// Its Rust type as it was written.
    #[serde(rename = "type")]
    pub rust_type: String,
    /// Whether it might be missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// Whether its value must not be shown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
    /// JSON Schema of its value, as far as its type's tokens told.
    pub schema: Value,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Catalog {
    /// What all events look like now. A sample is made for each from its schema; where that cannot be done there is none.
    #[must_use]
    pub fn lock(&self) -> EventsLock {
        let mut lock = EventsLock { format: FORMAT, events: BTreeMap::new() };
        for event in &self.events {
            lock.events.entry(event.topic.to_owned()).or_default().entry(event.version).or_insert_with(|| LockedEvent::of(event));
        }
        lock
    }

    /// As [`lock`](Self::lock), and keeps of `before` what is not made by the machine: samples that can still be read, and versions whose type is
    /// gone, as long as another type reads them.
    #[must_use]
    pub fn relock(&self, before: &EventsLock) -> EventsLock {
        let mut lock = self.lock();
        for (topic, versions) in &before.events {
            for (version, locked) in versions {
                if self.readers(topic, *version).next().is_none() {
                    continue;
                }
                let of_topic = lock.events.entry(topic.clone()).or_default();
                let now = of_topic.entry(*version).or_insert_with(|| locked.clone());
                if let Some(sample) = &locked.sample
                    && self.readers(topic, *version).all(|reader| reader.reads(*version, sample).is_ok())
                {
                    now.sample = Some(sample.clone());
                }
            }
        }
        lock
    }
}

impl CatalogEvent {
    /// Whether the type reads a payload; the error says nothing that must not be shown.
    pub(crate) fn reads(&self, version: u16, payload: &Value) -> Result<(), String> {
        (self.fits)(version, payload.to_string().as_bytes())
    }
}

impl LockedEvent {
    fn of(event: &CatalogEvent) -> Self {
        let field = |field: &crate::CatalogField| {
            let mut schema = field.schema.clone();
            // Said beside it.
            if let Some(object) = schema.as_object_mut() {
                object.remove("x-sensitive");
            }
            let locked =
                LockedField { rust_type: field.rust_type.to_owned(), optional: field.optional, sensitive: field.sensitive, schema };
            (field.name.to_owned(), locked)
        };
        Self {
            key: event.key.map(str::to_owned),
            strict: event.strict,
            fields: event.known.then(|| event.fields.iter().map(field).collect()),
            sample: sample::of(&event.schema, &event.schema).filter(|sample| event.reads(event.version, sample).is_ok()),
        }
    }
}

impl EventsLock {
    /// Reads a lock's text.
    ///
    /// # Errors
    /// It is no lock, or one of a newer release of this library.
    pub fn parse(text: &str) -> Result<Self, BoxError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_str(text)
            .map_err(|error| format!("this is no schema lock: {error}; write one with `catalog().lock()` or `outbox schema lock`"))?;
        if format != FORMAT {
            return Err(format!("the schema lock has format {format}, and this release reads {FORMAT}; update the library").into());
        }
        serde_json::from_str(text).map_err(|error| format!("the schema lock cannot be read: {error}").into())
    }
}

/// The text to keep.
impl fmt::Display for EventsLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
        writeln!(f, "{text}")
    }
}
