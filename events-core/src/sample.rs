//! A payload that a JSON Schema allows. Pure; the first thing that fits, always the same.

use serde_json::{Map, Value, json};

/// How deep definitions may refer to each other.
const MAX_DEPTH: usize = 16;

/// A value that `schema` allows; `None` where it does not say enough. References lead into `root`.
pub(crate) fn of(schema: &Value, root: &Value) -> Option<Value> {
    sample(schema, root, 0)
}

fn sample(schema: &Value, root: &Value, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    let schema = schema.as_object()?;
    let of = |schema: &Value| sample(schema, root, depth + 1);
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return of(root.pointer(target.strip_prefix('#')?)?);
    }
    for known in ["const", "default"] {
        if let Some(value) = schema.get(known) {
            return Some(value.clone());
        }
    }
    if let Some(Value::Array(values)) = schema.get("enum").or_else(|| schema.get("examples")) {
        return values.first().cloned();
    }
    if let Some(Value::Array(parts)) = schema.get("allOf") {
        return match parts.as_slice() {
            [only] => of(only),
            parts => parts.iter().map(of).collect::<Option<Vec<_>>>().and_then(merged),
        };
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = schema.get(choice) {
            return choices.iter().find_map(of);
        }
    }
    let ty = match schema.get("type")? {
        Value::Array(types) => types.first()?.as_str()?,
        ty => ty.as_str()?,
    };
    match ty {
        "null" => Some(Value::Null),
        "boolean" => Some(json!(true)),
        "integer" => {
            Some(schema.get("minimum").filter(|minimum| minimum.as_f64().is_some_and(|minimum| minimum > 1.0)).cloned().unwrap_or(json!(1)))
        }
        "number" => Some(json!(1.5)),
        "string" => text(schema).map(Value::from),
        "array" => array(schema, of),
        "object" => object(schema, of),
        _ => None,
    }
}

fn text(schema: &Map<String, Value>) -> Option<String> {
    if schema.contains_key("pattern") {
        return None;
    }
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => "018f4e5c-7a2b-7c3d-8e4f-5a6b7c8d9e0f",
        Some("date-time") => "2026-01-31T12:30:00Z",
        Some("date") => "2026-01-31",
        Some("uri") => "https://example.org/",
        Some("ip" | "ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        _ => "text",
    };
    let (least, most) = (length(schema, "minLength").unwrap_or(0), length(schema, "maxLength").unwrap_or(usize::MAX));
    if text.len() < least { Some("x".repeat(least.min(1024))) } else { Some(text.get(..text.len().min(most))?.to_owned()) }
}

fn array(schema: &Map<String, Value>, of: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    let least = length(schema, "minItems").unwrap_or(0);
    match schema.get("items") {
        Some(Value::Array(items)) => items.iter().map(of).collect(),
        // One is better than none: it has to be read, too.
        Some(items) => match of(items) {
            Some(item) => Some(vec![item; least.clamp(1, 1024)].into()),
            None => (least == 0).then(|| json!([])),
        },
        None => (least == 0).then(|| json!([])),
    }
}

fn object(schema: &Map<String, Value>, of: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut object = Map::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        match of(property) {
            Some(value) => drop(object.insert(name.clone(), value)),
            None if required.contains(&name.as_str()) => return None,
            None => {}
        }
    }
    if required.iter().any(|name| !object.contains_key(*name)) {
        return None;
    }
    if let Some(value) = schema.get("additionalProperties").filter(|_| object.is_empty()).and_then(of) {
        object.insert("name".to_owned(), value);
    }
    Some(Value::Object(object))
}

fn merged(parts: Vec<Value>) -> Option<Value> {
    let mut all = Map::new();
    for part in parts {
        let Value::Object(part) = part else { return None };
        all.extend(part);
    }
    Some(Value::Object(all))
}

fn length(schema: &Map<String, Value>, word: &str) -> Option<usize> {
    schema.get(word).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, sample: Value) {
        assert_eq!(of(schema, schema), Some(sample), "{schema}");
    }

    #[test]
    fn plain_values() {
        check(&json!({ "type": "integer", "format": "int64" }), json!(1));
        check(&json!({ "type": "integer", "minimum": 18 }), json!(18));
        check(&json!({ "type": "string", "format": "uuid" }), json!("018f4e5c-7a2b-7c3d-8e4f-5a6b7c8d9e0f"));
        check(&json!({ "type": "string", "minLength": 1, "maxLength": 1 }), json!("t"));
        check(&json!({ "anyOf": [{ "type": "boolean" }, { "type": "null" }] }), json!(true));
        check(&json!({ "type": ["string", "null"] }), json!("text"));
        check(&json!({ "enum": ["Euro", "Yen"] }), json!("Euro"));
    }

    #[test]
    fn values_of_values() {
        check(&json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 2 }), json!([true, true]));
        check(&json!({ "type": "array", "items": [{ "type": "boolean" }, { "type": "null" }] }), json!([true, null]));
        check(&json!({ "type": "object", "additionalProperties": { "type": "number" } }), json!({ "name": 1.5 }));
        check(
            &json!({ "type": "object", "properties": { "a": { "$ref": "#/definitions/A" } }, "definitions": { "A": { "const": 7 } } }),
            json!({ "a": 7 }),
        );
    }

    #[test]
    fn what_is_not_known_is_left_out_if_it_may_be() {
        let unknown = json!({ "x-rust-type": "Money" });
        check(&json!({ "type": "object", "properties": { "a": { "type": "null" }, "b": unknown } }), json!({ "a": null }));
        let required = json!({ "type": "object", "properties": { "b": unknown }, "required": ["b"] });
        assert_eq!(of(&required, &required), None);
    }

    #[test]
    fn a_definition_that_contains_itself_comes_to_an_end() {
        let endless = json!({ "$ref": "#/definitions/A", "definitions": { "A": { "$ref": "#/definitions/A" } } });
        assert_eq!(of(&endless, &endless), None);
    }
}
