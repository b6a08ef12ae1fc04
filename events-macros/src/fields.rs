//! What an event says about its fields: their names in the payload, their types, and which of them are sensitive.

use crate::{
    errors::Errors,
    json_schema,
    sensitive::marked,
    serde_words::{Container, Words},
};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Ident, Type};

/// The fields of an event, as serde writes them.
pub(crate) struct EventFields {
    fields: Vec<EventField>,
    /// Whether the payload is made of these fields, as far as the tokens tell.
    known: bool,
    strict: bool,
}

struct EventField {
    ident: Ident,
    /// Its name in the payload.
    name: String,
    ty: Type,
    /// Whether it may be missing where a payload is read.
    optional: bool,
    /// Whether it has a place of its own in the payload.
    is_written: bool,
    sensitive: Option<Span>,
    schema: String,
}

impl EventFields {
    /// Reads what stands on the struct and its fields. Every mistake in it is reported.
    pub(crate) fn read(input: &DeriveInput, errors: &mut Errors) -> Self {
        let container = Container::read(&input.attrs);
        let mut read = Self { fields: Vec::new(), known: container.unclear.is_none(), strict: container.strict };
        let Data::Struct(data) = &input.data else { return read };
        for field in &data.fields {
            let sensitive = marked(field, errors);
            let words = Words::read(&field.attrs);
            let Some(ident) = &field.ident else { continue };
            let unclear = container.unclear.as_deref().or(words.unclear.as_deref());
            if let Some(span) = sensitive {
                match unclear {
                    _ if words.flatten => errors.at(
                        span,
                        "`flatten` writes fields whose names are not known here; leave it out, or mark the fields one by one in this struct",
                    ),
                    Some(word) => errors.at(
                        span,
                        format_args!("because of `{word}` the name of this field in the payload is not known here, and it could not be hidden; give it a plain `#[serde(rename = \"..\")]`, and leave `{word}` out"),
                    ),
                    None => {}
                }
            }
            read.known &= words.unclear.is_none();
            read.fields.push(EventField {
                name: container.name(ident, &words),
                optional: container.default || words.default || words.unread || (words.with.is_none() && json_schema::is_option(&field.ty)),
                is_written: !words.unwritten && !words.flatten,
                schema: match &words.with {
                    Some(module) => json_schema::of_module(module, &field.ty),
                    None => json_schema::of(&field.ty),
                },
                ident: ident.clone(),
                ty: field.ty.clone(),
                sensitive,
            });
        }
        read
    }

    /// The sensitive fields, and where they are called so.
    pub(crate) fn sensitive(&self) -> Vec<(Ident, Span)> {
        self.fields.iter().filter_map(|field| Some((field.ident.clone(), field.sensitive?))).collect()
    }

    pub(crate) fn is_sensitive(&self, ident: &Ident) -> bool {
        self.fields.iter().any(|field| field.sensitive.is_some() && field.ident == *ident)
    }

    /// The constants of the implementation that tell of the fields. `key` is the ordering key as it was written.
    pub(crate) fn expand(&self, key: Option<&str>) -> TokenStream {
        let hidden: Vec<_> =
            self.fields.iter().filter(|field| field.sensitive.is_some() && field.is_written).map(|field| &field.name).collect();
        let sensitive = (!hidden.is_empty()).then(|| {
            quote! {
                const SENSITIVE: &'static [&'static ::core::primitive::str] = &[#(#hidden),*];
            }
        });
        let (known, strict) = (self.known, self.strict);
        let key = match key {
            Some(key) => quote!(::core::option::Option::Some(#key)),
            None => quote!(::core::option::Option::None),
        };
        let fields = self.fields.iter().filter(|field| known && field.is_written).map(|field| {
            let EventField { name, optional, schema, .. } = field;
            let (rust, sensitive) = (json_schema::written(&field.ty), field.sensitive.is_some());
            quote! {
                ::events_core::__private::FieldDescriptor {
                    name: #name, rust: #rust, optional: #optional, sensitive: #sensitive, schema: #schema,
                }
            }
        });
        quote! {
            #sensitive
            const SHAPE: ::events_core::__private::Shape = ::events_core::__private::Shape {
                known: #known,
                strict: #strict,
                key: #key,
                fields: &[#(#fields),*],
            };

            fn schema() -> ::core::option::Option<::events_core::__private::Json> {
                #[allow(unused_imports)]
                use ::events_core::__private::{DerivedSchema as _, NoSchema as _};
                (&::events_core::__private::SchemaProbe::<Self>::NEW).schema()
            }
        }
    }
}
