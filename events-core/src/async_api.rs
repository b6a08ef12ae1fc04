//! The catalogue as an AsyncAPI 3.0 document, for people and tools elsewhere.

use crate::catalog::{Catalog, CatalogEvent};
use crate::{SENSITIVE_HEADER, masked};
use serde_json::{Map, Value, json};

impl Catalog {
    /// The events that leave this program or come from brokers, as an AsyncAPI 3.0 document: a channel for each topic, a message for each of its
    /// versions, with the schemas of the payload and of its CloudEvents attributes, and the operations of this program.
    ///
    /// A program *receives* what its `#[subscribe]` handlers take. It *sends* every event that is not `local`, except what only such handlers take:
    /// that comes from elsewhere. Attributes have their plain CloudEvents names; each transport puts its prefix before them (`ce-`, `ce_`).
    ///
    /// ```
    /// # use events_core::catalog;
    /// let document = catalog().to_asyncapi("Orders", "1.4.0");
    /// assert_eq!(document["asyncapi"], "3.0.0");
    /// ```
    #[must_use]
    pub fn to_asyncapi(&self, title: &str, version: &str) -> Value {
        let (mut channels, mut operations) = (Map::new(), Map::new());
        let (mut messages, mut schemas) = (Map::new(), Map::new());
        for event in self.events.iter().filter(|event| !event.local) {
            let name = name_of(event);
            let channel = channels.entry(event.topic).or_insert_with(|| json!({ "address": event.topic, "messages": {} }));
            channel["messages"][&name] = json!({ "$ref": format!("#/components/messages/{name}") });
            messages.insert(name.clone(), message(event, &name, &mut schemas));
        }
        for topic in channels.keys() {
            if self.sends(topic) {
                let versions = self.events.iter().filter(|event| event.topic == topic && !event.local);
                operations.insert(format!("send.{topic}"), operation("send", topic, versions));
            }
        }
        for handler in self.handlers.iter().filter(|handler| handler.group.is_some() && channels.contains_key(handler.topic)) {
            let (oldest, newest) = handler.versions;
            let versions = self.events.iter().filter(|event| event.topic == handler.topic && (oldest..=newest).contains(&event.version));
            let mut receive = operation("receive", handler.topic, versions.filter(|event| !event.local));
            receive["x-handler"] = json!(handler.name);
            receive["x-group"] = json!(handler.group);
            operations.insert(format!("receive.{}", handler.name), receive);
        }
        let mut components = Map::from_iter([("messages".to_owned(), Value::Object(messages))]);
        if !schemas.is_empty() {
            components.insert("schemas".to_owned(), Value::Object(schemas));
        }
        json!({
            "asyncapi": "3.0.0",
            "info": { "title": title, "version": version },
            "defaultContentType": "application/json",
            "channels": channels,
            "operations": operations,
            "components": components,
        })
    }

    fn sends(&self, topic: &str) -> bool {
        let mut of_topic = self.handlers.iter().filter(|handler| handler.topic == topic).peekable();
        of_topic.peek().is_none() || of_topic.any(|handler| handler.group.is_none())
    }
}

fn name_of(event: &CatalogEvent) -> String {
    format!("{}.v{}", event.topic, event.version)
}

fn operation<'a>(action: &str, topic: &str, versions: impl Iterator<Item = &'a CatalogEvent>) -> Value {
    let messages: Vec<Value> = versions.map(|event| json!({ "$ref": format!("#/channels/{topic}/messages/{}", name_of(event)) })).collect();
    json!({ "action": action, "channel": { "$ref": format!("#/channels/{topic}") }, "messages": messages })
}

fn message(event: &CatalogEvent, name: &str, schemas: &mut Map<String, Value>) -> Value {
    let mut message = json!({
        "name": name,
        "title": event.type_name.rsplit("::").next().unwrap_or(event.type_name),
        "contentType": "application/json",
        "headers": attributes(event),
        "payload": hoisted(event.schema.clone(), name, schemas),
    });
    if let Some(to) = event.to {
        message["x-transport"] = json!(to);
    }
    message
}

/// The CloudEvents attributes of an event, as `to_cloud_event` writes them.
fn attributes(event: &CatalogEvent) -> Value {
    let text = || json!({ "type": "string" });
    let mut properties = Map::from_iter([
        ("specversion".to_owned(), json!({ "type": "string", "const": "1.0" })),
        ("id".to_owned(), json!({ "type": "string", "format": "uuid" })),
        ("type".to_owned(), json!({ "type": "string", "const": event.topic })),
        ("source".to_owned(), json!({ "type": "string", "format": "uri-reference" })),
        ("time".to_owned(), json!({ "type": "string", "format": "date-time" })),
        ("datacontenttype".to_owned(), text()),
        ("eventversion".to_owned(), json!({ "type": "string", "const": event.version.to_string() })),
    ]);
    if event.key.is_some() || !event.known {
        properties.insert("partitionkey".to_owned(), text());
    }
    if let Some(names) = masked::header_of(event.sensitive) {
        properties.insert(format!("header-{SENSITIVE_HEADER}"), json!({ "type": "string", "const": names }));
    }
    json!({ "type": "object", "properties": properties, "required": ["specversion", "id", "type", "source", "eventversion"] })
}

/// A schema whose definitions are moved to the document's: a `#/..` inside of it means the whole document now.
fn hoisted(mut schema: Value, message: &str, schemas: &mut Map<String, Value>) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        for place in ["definitions", "$defs"] {
            let Some(Value::Object(definitions)) = object.remove(place) else { continue };
            for (name, mut definition) in definitions {
                redirect(&mut definition, message);
                schemas.insert(hoisted_name(message, &name), definition);
            }
        }
    }
    redirect(&mut schema, message);
    schema
}

fn redirect(schema: &mut Value, message: &str) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(target)) = object.get_mut("$ref") {
                let name = target.strip_prefix("#/definitions/").or_else(|| target.strip_prefix("#/$defs/"));
                if let Some(moved) = name.map(|name| format!("#/components/schemas/{}", hoisted_name(message, name))) {
                    *target = moved;
                }
            }
            object.values_mut().for_each(|value| redirect(value, message));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| redirect(value, message)),
        _ => {}
    }
}

/// The name of a definition among those of all messages, of the characters that AsyncAPI takes.
fn hoisted_name(message: &str, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    format!("{message}.{}", name.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::CatalogHandler;
    use crate::event::EventDescriptor;
    use crate::shape::{FieldDescriptor, Shape};

    const CARD: FieldDescriptor =
        FieldDescriptor { name: "card", rust: "String", optional: false, sensitive: true, schema: r#"{"type":"string"}"# };
    const EVENT: EventDescriptor = EventDescriptor { version: 1, oldest: 1, since: 1, ..EventDescriptor::NOTHING };

    fn shop() -> Catalog {
        let mut catalog = Catalog::default();
        let shape = Shape { known: true, key: Some("number"), fields: &[CARD], ..Shape::UNKNOWN };
        catalog.add(&EventDescriptor { topic: "order.sent", shape, sensitive: &["card"], type_name: || "shop::Sent", ..EVENT });
        catalog.add(&EventDescriptor { topic: "payment.made", ..EVENT });
        catalog.add(&EventDescriptor { topic: "order.kept", local: true, ..EVENT });
        catalog.handlers.push(CatalogHandler {
            name: "book",
            topic: "payment.made",
            versions: (1, 1),
            phase: "subscribe",
            group: Some("shop"),
            attempts: None,
            backoff: None,
            timeout: None,
            repetition: "exactly_once",
            unit_of_work: false,
        });
        catalog
    }

    #[test]
    fn channels_messages_and_operations_refer_to_each_other() {
        let document = shop().to_asyncapi("Shop", "2");
        let sent = &document["components"]["messages"]["order.sent.v1"];
        assert_eq!(sent["payload"]["properties"]["card"], json!({ "type": "string", "x-sensitive": true }));
        assert_eq!(sent["headers"]["properties"]["type"]["const"], "order.sent");
        assert_eq!(sent["headers"]["properties"]["header-events-sensitive"]["const"], r#"["card"]"#);
        assert_eq!(
            document["channels"]["order.sent"],
            json!({ "address": "order.sent", "messages": { "order.sent.v1": { "$ref": "#/components/messages/order.sent.v1" } } })
        );
        assert_eq!(document["operations"]["send.order.sent"]["messages"][0]["$ref"], "#/channels/order.sent/messages/order.sent.v1");
        every_reference_leads_somewhere(&document, &document);
    }

    #[test]
    fn what_only_subscribers_take_is_received_and_what_is_local_is_left_out() {
        let document = shop().to_asyncapi("Shop", "2");
        let operations = document["operations"].as_object().unwrap();
        assert_eq!(operations["receive.book"]["action"], "receive");
        assert_eq!(operations["receive.book"]["x-group"], "shop");
        assert!(!operations.contains_key("send.payment.made"));
        assert!(document["channels"].get("order.kept").is_none());
    }

    #[test]
    fn definitions_of_a_schema_are_moved_and_found_again() {
        let schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": { "price": { "$ref": "#/definitions/Money" } },
            "definitions": { "Money": { "properties": { "in": { "$ref": "#/definitions/Cur<y>" } } }, "Cur<y>": { "type": "string" } },
        });
        let mut schemas = Map::new();
        let payload = hoisted(schema, "a.b.v1", &mut schemas);
        let document = json!({ "payload": payload, "components": { "schemas": schemas } });
        every_reference_leads_somewhere(&document, &document);
        assert_eq!(document["components"]["schemas"].as_object().unwrap().len(), 2);
        assert!(document["payload"].get("$schema").is_none());
    }

    #[track_caller]
    fn every_reference_leads_somewhere(document: &Value, part: &Value) {
        match part {
            Value::Object(object) => {
                if let Some(Value::String(target)) = object.get("$ref") {
                    let found = document.pointer(target.trim_start_matches('#'));
                    assert!(found.is_some(), "{target} leads nowhere");
                }
                object.values().for_each(|value| every_reference_leads_somewhere(document, value));
            }
            Value::Array(values) => values.iter().for_each(|value| every_reference_leads_somewhere(document, value)),
            _ => {}
        }
    }
}
