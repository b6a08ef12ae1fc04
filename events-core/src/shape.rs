//! What an event type says about its payload before any event exists: fields, types, schema. Written by the macro, read by the catalogue.

use serde_json::Value;
use std::marker::PhantomData;

/// The shape of a payload. Not public API: the macros write it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Whether the fields are known. Of a `DomainEvent` that was written by hand, or whose names serde makes in ways that the macro cannot
    /// follow, nothing is.
    pub known: bool,
    /// Whether a payload with other fields than these is refused.
    pub strict: bool,
    /// The ordering key as it was written.
    pub key: Option<&'static str>,
    pub fields: &'static [FieldDescriptor],
}

impl Shape {
    /// The shape of which nothing is known.
    pub const UNKNOWN: Self = Self { known: false, strict: false, key: None, fields: &[] };
}

/// One field of a payload. Not public API: the macros write it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct FieldDescriptor {
    /// In the payload.
    pub name: &'static str,
    /// Its type as it was written.
    pub rust: &'static str,
    /// Whether it may be missing where a payload is read.
    pub optional: bool,
    pub sensitive: bool,
    /// JSON Schema as JSON text, so that it can be a constant.
    pub schema: &'static str,
}

/// Asks a type for its schema, if it has one. The two traits below are tried in turn: a method of the type itself goes before one of its
/// reference, so deriving `JsonSchema` stays optional without the macro having to know.
#[doc(hidden)]
pub struct SchemaProbe<T>(PhantomData<T>);

impl<T> SchemaProbe<T> {
    pub const NEW: Self = Self(PhantomData);
}

/// A type that derives schemars' `JsonSchema`.
#[doc(hidden)]
pub trait DerivedSchema {
    fn schema(&self) -> Option<Value>;
}

#[cfg(feature = "schemars")]
impl<T: schemars::JsonSchema> DerivedSchema for SchemaProbe<T> {
    fn schema(&self) -> Option<Value> {
        // The same draft as what the macro writes, and as what AsyncAPI takes.
        let schema = schemars::generate::SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
        Some(schema.to_value())
    }
}

/// Any other type.
#[doc(hidden)]
pub trait NoSchema {
    fn schema(&self) -> Option<Value> {
        None
    }
}

impl<T> NoSchema for &SchemaProbe<T> {}
