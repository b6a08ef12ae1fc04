//! What has changed since the schema was locked, and whether old events and old processes survive it. Pure, but for the samples: those are read
//! with the types that are linked.

use crate::catalog::{Catalog, CatalogEvent, CatalogField};
use crate::schema_lock::{EventsLock, LockedEvent, LockedField};
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

/// What a change means for what is stored and for who is out there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Something that was not there. An old process hands a new version back until it is replaced.
    New,
    /// Old events are read, and old processes read new ones.
    Compatible,
    /// Somebody should look: a process of the release before may not read what this one writes, or something is shown that was not.
    Warning,
    /// Events that wait would become dead letters, receivers would miss something, or an order would be lost.
    Breaking,
}

/// One change since the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// What it means.
    pub severity: Severity,
    /// The event's topic.
    pub topic: String,
    /// The event's version.
    pub version: u16,
    /// The field in the payload, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What has changed, what follows, and what to do about it.
    pub message: String,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Compatible => "compatible",
            Self::Warning => "warning",
            Self::Breaking => "breaking",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` v{}: {}", self.severity, self.topic, self.version, self.message)
    }
}

impl EventsLock {
    /// What has changed since then, the worst first. Every sample is read with the types that read its version.
    #[must_use]
    pub fn check(&self, catalog: &Catalog) -> Vec<Change> {
        let mut changes = Vec::new();
        for (topic, versions) in &self.events {
            for (version, locked) in versions {
                let mut found = Found { changes: &mut changes, topic, version: *version };
                match catalog.event(topic, *version) {
                    Some(event) => found.compare(locked, event),
                    None => found.removed(catalog),
                }
                found.read_sample(locked, catalog);
            }
        }
        for event in &catalog.events {
            let of_topic = self.events.get(event.topic);
            if of_topic.is_none_or(|versions| !versions.contains_key(&event.version)) {
                let before = of_topic.and_then(|versions| versions.range(..event.version).next_back());
                Found { changes: &mut changes, topic: event.topic, version: event.version }.added(event, before);
            }
        }
        changes.sort_by_key(|change| Reverse(change.severity));
        changes
    }
}

/// Collects what is found about one event.
struct Found<'a> {
    changes: &'a mut Vec<Change>,
    topic: &'a str,
    version: u16,
}

impl Found<'_> {
    fn say(&mut self, severity: Severity, field: Option<&str>, message: String) {
        let (topic, field) = (self.topic.to_owned(), field.map(str::to_owned));
        self.changes.push(Change { severity, topic, version: self.version, field, message });
    }

    /// What to do about a shape that must not change.
    fn next_version(&self) -> String {
        format!(
            "declare a type with `version = {}, upcasts = ..` for the new shape, and keep this one as it was",
            u32::from(self.version) + 1
        )
    }

    fn removed(&mut self, catalog: &Catalog) {
        let version = self.version;
        let (severity, message) = if let Some(reader) = catalog.readers(self.topic, version).last() {
            (Severity::Compatible, format!("its type is gone; `{}` reads what still waits", reader.type_name))
        } else if let Some(event) = catalog.events.iter().find(|event| event.topic == self.topic && event.since > version) {
            (
                Severity::Compatible,
                format!("its type is gone; `{}` says by `since = {}` that none exists any more", event.type_name, event.since),
            )
        } else {
            let message = "its type is gone, and nothing reads what still waits in the outbox, among the dead letters or at brokers; bring it back, \
                           and name it with `upcasts = ..` on the version after it, or say `since = ..` there once none exists any more";
            (Severity::Breaking, message.to_owned())
        };
        self.say(severity, None, message);
    }

    fn added(&mut self, event: &CatalogEvent, before: Option<(&u16, &LockedEvent)>) {
        let Some((before, locked)) = before else {
            return self.say(Severity::New, None, format!("`{}` is new", event.type_name));
        };
        let read = if event.oldest <= *before { ", and its type reads those before" } else { "" };
        self.say(
            Severity::New,
            None,
            format!("version {} is new{read}; a process of the release before hands such events back until it is replaced", event.version),
        );
        if event.key != locked.key.as_deref() {
            self.say(
                Severity::Warning,
                None,
                format!(
                    "its key is {}, that of version {before} was {}; unless both are the same value, the order between events of the two versions is not kept",
                    named(event.key),
                    named(locked.key.as_deref())
                ),
            );
        }
        for field in &event.fields {
            let was = locked.fields.as_ref().and_then(|fields| fields.get(field.name));
            self.compare_sensitive(was.is_some_and(|was| was.sensitive), field, was.is_some());
        }
    }

    fn compare(&mut self, locked: &LockedEvent, event: &CatalogEvent) {
        if locked.key.as_deref() != event.key && (locked.fields.is_some() || locked.key.is_some()) {
            self.say(
                Severity::Breaking,
                None,
                format!(
                    "its key was {} and is {}; what waits is in line under the old key, so the order between old and new events is lost; take the \
                     key back, or let the outbox run empty before you deploy and lock the schema again",
                    named(locked.key.as_deref()),
                    named(event.key)
                ),
            );
        }
        if event.strict && !locked.strict {
            let message =
                "`deny_unknown_fields` is new; payloads of other releases that have more fields are refused; leave it out".to_owned();
            self.say(Severity::Warning, None, message);
        }
        let Some(fields) = &locked.fields else { return };
        if !event.known {
            let message = "its fields cannot be told any more, so only the sample tells whether old events are read; put a real payload into the lock";
            return self.say(Severity::Warning, None, message.to_owned());
        }
        for (name, was) in fields {
            match event.fields.iter().find(|field| field.name == name) {
                Some(now) => self.compare_field(was, now),
                None => self.field_removed(name, was, fields, event),
            }
        }
        for field in event.fields.iter().filter(|field| !fields.contains_key(field.name)) {
            self.field_added(field, locked);
        }
    }

    fn field_removed(&mut self, name: &str, was: &LockedField, fields: &BTreeMap<String, LockedField>, event: &CatalogEvent) {
        let renamed = event.fields.iter().find(|field| !fields.contains_key(field.name) && field.rust_type == was.rust_type);
        let what = match renamed {
            Some(field) => format!("the field `{name}` is gone, or was renamed to `{}`", field.name),
            None => format!("the field `{name}` is gone"),
        };
        let rollback = if was.optional { "" } else { ", and a process of the release before cannot read what this one writes" };
        let message = format!("{what}; receivers miss it{rollback}; bring it back, or {}", self.next_version());
        self.say(Severity::Breaking, Some(name), message);
    }

    fn field_added(&mut self, field: &CatalogField, locked: &LockedEvent) {
        let name = field.name;
        let (severity, message) = if !field.optional {
            let message = format!(
                "the field `{name}` is new and required, and what waits does not have it; make it an `Option` or give it `#[serde(default)]`, or {}",
                self.next_version()
            );
            (Severity::Breaking, message)
        } else if locked.strict {
            let message = format!(
                "the field `{name}` is new; a process of the release before refuses payloads that have it (`deny_unknown_fields`), so a roll-back would \
                 leave dead letters; {}",
                self.next_version()
            );
            (Severity::Warning, message)
        } else {
            (Severity::Compatible, format!("the field `{name}` is new and may be missing; the release before passes over it"))
        };
        self.say(severity, Some(name), message);
    }

    fn compare_field(&mut self, was: &LockedField, now: &CatalogField) {
        let name = now.name;
        self.compare_sensitive(was.sensitive, now, true);
        if was.optional && !now.optional {
            let message = format!(
                "the field `{name}` was optional and is required, and what waits may lack it; make it an `Option` or give it `#[serde(default)]`, or {}",
                self.next_version()
            );
            return self.say(Severity::Breaking, Some(name), message);
        }
        let schema = plain(&now.schema);
        if was.rust_type == now.rust_type {
            if !was.optional && now.optional {
                self.say(Severity::Compatible, Some(name), format!("the field `{name}` may be missing now"));
            }
            if was.schema != schema {
                self.written_otherwise(was, name, &schema);
            }
            return;
        }
        let types = format!("the type of the field `{name}` was `{}` and is `{}`", was.rust_type, now.rust_type);
        let (severity, message) = match Fit::of(&was.schema, &schema) {
            Fit::Same => (Severity::Compatible, format!("{types}; the JSON is the same")),
            Fit::Wider => (
                Severity::Warning,
                format!(
                    "{types}; what waits is read, but a process of the release before may not read what this one writes: deploy it everywhere \
                     before the new values appear"
                ),
            ),
            Fit::Other => {
                (Severity::Breaking, format!("{types}; what waits may not be read; take the type back, or {}", self.next_version()))
            }
        };
        self.say(severity, Some(name), message);
    }

    /// The same type, and other JSON: by `#[serde(with = ..)]`, or because this library has learned to tell more of the type.
    fn written_otherwise(&mut self, was: &LockedField, name: &str, schema: &Value) {
        let is_known = was.schema.get("x-rust-type").is_none() && schema.get("x-rust-type").is_none();
        let (severity, cure) = if is_known {
            (Severity::Breaking, format!("take that back, or {}", self.next_version()))
        } else {
            (Severity::Warning, "look whether the sample in the lock is a real one: it decides whether what waits is read".to_owned())
        };
        let message =
            format!("the field `{name}` is a `{}` as before, but was written as {} and is as {schema}; {cure}", was.rust_type, was.schema);
        self.say(severity, Some(name), message);
    }

    fn compare_sensitive(&mut self, was: bool, now: &CatalogField, known: bool) {
        let name = now.name;
        match (was, now.sensitive) {
            (true, false) => self.say(
                Severity::Warning,
                Some(name),
                format!("the field `{name}` was sensitive and is shown in lists, logs and errors from now on; is that meant?"),
            ),
            (false, true) if known => self.say(
                Severity::Compatible,
                Some(name),
                format!("the field `{name}` is sensitive now; errors that were kept before may quote it"),
            ),
            _ => {}
        }
    }

    fn read_sample(&mut self, locked: &LockedEvent, catalog: &Catalog) {
        let mut readers = catalog.readers(self.topic, self.version).peekable();
        if readers.peek().is_none() {
            return;
        }
        let Some(sample) = &locked.sample else {
            let message = "the lock has no sample of it, because its types do not say how one looks; write a real payload under `sample`";
            return self.say(Severity::Warning, None, message.to_owned());
        };
        for reader in readers {
            if let Err(error) = reader.reads(self.version, sample) {
                let message = format!(
                    "the sample in the lock is not read by `{}`: {error}; neither is what waits; take the change back, or {}",
                    reader.type_name,
                    self.next_version()
                );
                self.say(Severity::Breaking, None, message);
            }
        }
    }
}

/// How the JSON of a field's new type relates to that of the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Same,
    /// The new type reads everything that the old one wrote.
    Wider,
    Other,
}

impl Fit {
    fn of(was: &Value, now: &Value) -> Self {
        // Of unknown types only the names are known, and those differ, or nobody would ask.
        if was == now && was.get("x-rust-type").is_none() {
            return Self::Same;
        }
        let null = json!({ "type": "null" });
        let inside = |schema: &Value| match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([inside, other]) if *other == null => Some(inside.clone()),
            _ => None,
        };
        match (inside(was), inside(now)) {
            (Some(was), Some(now)) => return Self::of(&was, &now),
            (None, Some(now)) if Self::of(was, &now) != Self::Other || *was == now => return Self::Wider,
            _ => {}
        }
        match (Range::of(was), Range::of(now)) {
            (Some(was), Some(now)) if now.holds(was) => Self::Wider,
            _ => Self::Other,
        }
    }
}

/// What an integer may be, as powers of two.
#[derive(Clone, Copy)]
struct Range {
    signed: bool,
    bits: u32,
    least: u64,
}

impl Range {
    fn of(schema: &Value) -> Option<Self> {
        let format = schema.get("format")?.as_str()?;
        let (signed, bits) = match format.strip_prefix('u') {
            Some(rest) => (false, rest.strip_prefix("int")?),
            None => (true, format.strip_prefix("int")?),
        };
        Some(Self { signed, bits: bits.parse().ok()?, least: schema.get("minimum").and_then(Value::as_u64).unwrap_or(0) })
    }

    fn holds(self, other: Self) -> bool {
        match (self.signed, other.signed) {
            (true, false) => self.bits > other.bits,
            (false, true) => false,
            (true, true) => self.bits >= other.bits,
            (false, false) => self.bits >= other.bits && self.least <= other.least,
        }
    }
}

fn plain(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        object.remove("x-sensitive");
    }
    schema
}

fn named(key: Option<&str>) -> String {
    key.map_or("none".to_owned(), |key| format!("`{key}`"))
}

#[cfg(test)]
mod tests;
