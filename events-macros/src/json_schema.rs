//! A field's type as JSON Schema (draft 7), as far as its tokens tell. Of a type it does not know it says only the name.

use quote::ToTokens;
use syn::{Expr, ExprLit, GenericArgument, Lit, PathArguments, Type, TypePath};

/// The schema of a type's JSON, as JSON text.
pub(crate) fn of(ty: &Type) -> String {
    match ty {
        Type::Group(group) => of(&group.elem),
        Type::Paren(paren) => of(&paren.elem),
        Type::Reference(reference) => of(&reference.elem),
        Type::Slice(slice) => array(&of(&slice.elem), ""),
        Type::Array(of_array) => match &of_array.len {
            Expr::Lit(ExprLit { lit: Lit::Int(len), .. }) => {
                array(&of(&of_array.elem), &format!(r#","minItems":{0},"maxItems":{0}"#, len.base10_digits()))
            }
            _ => array(&of(&of_array.elem), ""),
        },
        Type::Tuple(tuple) if tuple.elems.is_empty() => r#"{"type":"null"}"#.to_owned(),
        Type::Tuple(tuple) => {
            let (len, items) = (tuple.elems.len(), tuple.elems.iter().map(of).collect::<Vec<_>>().join(","));
            format!(r#"{{"type":"array","items":[{items}],"minItems":{len},"maxItems":{len}}}"#)
        }
        Type::Path(path) if path.qself.is_none() => of_path(path).unwrap_or_else(|| unknown(ty)),
        _ => unknown(ty),
    }
}

/// The schema of what a module of `#[serde(with = "..")]` writes.
pub(crate) fn of_module(module: &str, ty: &Type) -> String {
    let time = || text("date-time");
    match module.rsplit("::").map(str::trim).collect::<Vec<_>>().as_slice() {
        ["rfc3339", ..] => time(),
        ["option", "rfc3339", ..] => or_null(&time()),
        _ => unknown(ty),
    }
}

/// Whether the type is an `Option`.
pub(crate) fn is_option(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_option(&group.elem),
        Type::Paren(paren) => is_option(&paren.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "Option"),
        _ => false,
    }
}

/// The type as people write it.
pub(crate) fn written(tokens: &impl ToTokens) -> String {
    let spaced = tokens.to_token_stream().to_string();
    let mut text = String::with_capacity(spaced.len());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = spaced.chars().peekable();
    while let Some(c) = rest.next() {
        if !c.is_whitespace() {
            text.push(c);
            if matches!(c, ',' | ';') && rest.peek().is_some_and(|next| !matches!(next, ')' | ']' | '>')) {
                text.push(' ');
            }
            continue;
        }
        while rest.peek().is_some_and(|next| next.is_whitespace()) {
            rest.next();
        }
        let (before, after) = (text.chars().next_back(), rest.peek().copied());
        if before.is_some_and(is_word) && after.is_some_and(|after| is_word(after) || matches!(after, '\'' | '"')) {
            text.push(' ');
        }
    }
    text
}

fn of_path(path: &TypePath) -> Option<String> {
    let last = path.path.segments.last()?;
    let arguments: Vec<&Type> = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let name = last.ident.to_string();
    Some(match (name.as_str(), arguments.as_slice()) {
        ("Option", [ty]) => or_null(&of(ty)),
        ("Vec" | "VecDeque" | "LinkedList" | "BinaryHeap", [ty]) => array(&of(ty), ""),
        ("HashSet" | "BTreeSet" | "IndexSet", [ty, ..]) => array(&of(ty), r#","uniqueItems":true"#),
        ("HashMap" | "BTreeMap" | "IndexMap", [key, value, ..]) if is_name(key) => {
            format!(r#"{{"type":"object","additionalProperties":{}}}"#, of(value))
        }
        ("Box" | "Arc" | "Rc" | "Cow", [ty]) => of(ty),
        (_, [_, ..]) if name != "DateTime" => return None,
        ("bool", _) => r#"{"type":"boolean"}"#.to_owned(),
        ("String" | "str" | "Ipv4Addr" | "Ipv6Addr" | "IpAddr", _) => r#"{"type":"string"}"#.to_owned(),
        ("char", _) => r#"{"type":"string","minLength":1,"maxLength":1}"#.to_owned(),
        ("f32", _) => r#"{"type":"number","format":"float"}"#.to_owned(),
        ("f64", _) => r#"{"type":"number","format":"double"}"#.to_owned(),
        ("Uuid", _) => text("uuid"),
        // What chrono and time call a moment; only chrono's is always written as text.
        ("DateTime", [_]) => text("date-time"),
        ("NaiveDate", _) => text("date"),
        ("Url", _) => text("uri"),
        ("Bytes" | "BytesMut", _) => array(&of(&syn::parse_quote!(u8)), ""),
        (number, _) => integer(number)?,
    })
}

fn integer(name: &str) -> Option<String> {
    let (name, least) = match name.strip_prefix("NonZero") {
        Some(name) => (name.to_ascii_lowercase(), 1),
        None => (name.to_owned(), 0),
    };
    let (sign, bits) = name.split_at_checked(1)?;
    let bits = match bits {
        "8" | "16" | "32" | "64" | "128" => bits,
        "size" => "64",
        _ => return None,
    };
    match sign {
        "i" => Some(format!(r#"{{"type":"integer","format":"int{bits}"}}"#)),
        "u" => Some(format!(r#"{{"type":"integer","format":"uint{bits}","minimum":{least}}}"#)),
        _ => None,
    }
}

/// Whether serde writes the type as the name of a member.
fn is_name(ty: &Type) -> bool {
    let schema = of(ty);
    schema.starts_with(r#"{"type":"string""#) || schema.starts_with(r#"{"type":"integer""#)
}

fn text(format: &str) -> String {
    format!(r#"{{"type":"string","format":"{format}"}}"#)
}

fn array(items: &str, more: &str) -> String {
    format!(r#"{{"type":"array","items":{items}{more}}}"#)
}

fn or_null(schema: &str) -> String {
    format!(r#"{{"anyOf":[{schema},{{"type":"null"}}]}}"#)
}

fn unknown(ty: &Type) -> String {
    format!(r#"{{"x-rust-type":"{}"}}"#, written(ty).replace('\\', r"\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ty: &str, schema: &str) {
        assert_eq!(of(&syn::parse_str(ty).expect("a type")), schema, "{ty}");
    }

    #[test]
    fn plain_types_are_known() {
        check("i64", r#"{"type":"integer","format":"int64"}"#);
        check("u8", r#"{"type":"integer","format":"uint8","minimum":0}"#);
        check("NonZeroU32", r#"{"type":"integer","format":"uint32","minimum":1}"#);
        check("f64", r#"{"type":"number","format":"double"}"#);
        check("std::string::String", r#"{"type":"string"}"#);
        check("&'static str", r#"{"type":"string"}"#);
        check("Cow<'static, str>", r#"{"type":"string"}"#);
        check("uuid::Uuid", r#"{"type":"string","format":"uuid"}"#);
        check("DateTime<Utc>", r#"{"type":"string","format":"date-time"}"#);
        check("()", r#"{"type":"null"}"#);
    }

    #[test]
    fn types_of_types_are_followed() {
        check("Option<Box<bool>>", r#"{"anyOf":[{"type":"boolean"},{"type":"null"}]}"#);
        check("Vec<String>", r#"{"type":"array","items":{"type":"string"}}"#);
        check("HashMap<String, f32>", r#"{"type":"object","additionalProperties":{"type":"number","format":"float"}}"#);
        check(
            "(bool, char)",
            r#"{"type":"array","items":[{"type":"boolean"},{"type":"string","minLength":1,"maxLength":1}],"minItems":2,"maxItems":2}"#,
        );
        check("[bool; 3]", r#"{"type":"array","items":{"type":"boolean"},"minItems":3,"maxItems":3}"#);
    }

    #[test]
    fn of_an_unknown_type_only_the_name_is_told() {
        check("crate::Money<Euro>", r#"{"x-rust-type":"crate::Money<Euro>"}"#);
        check("OffsetDateTime", r#"{"x-rust-type":"OffsetDateTime"}"#);
        check("HashMap<Place, i64>", r#"{"x-rust-type":"HashMap<Place, i64>"}"#);
        check("Box<dyn Fn(&str) -> u8>", r#"{"x-rust-type":"dyn Fn(&str)->u8"}"#);
    }

    #[test]
    fn moments_are_told_by_their_module() {
        let ty = syn::parse_quote!(OffsetDateTime);
        assert_eq!(of_module("time::serde::rfc3339", &ty), r#"{"type":"string","format":"date-time"}"#);
        assert_eq!(of_module("time::serde::rfc3339::option", &ty), r#"{"anyOf":[{"type":"string","format":"date-time"},{"type":"null"}]}"#);
        assert_eq!(of_module("my_own", &ty), r#"{"x-rust-type":"OffsetDateTime"}"#);
    }

    #[test]
    fn a_type_is_written_as_people_write_it() {
        for ty in ["Option<BTreeMap<String, Vec<u8>>>", "&'static str", "[u8; 32]", "Cow<'static, str>", "a::B<C>"] {
            assert_eq!(written(&syn::parse_str::<Type>(ty).expect("a type")), ty);
        }
    }
}
