//! The type under `#[domain_event]`: which shapes may be a payload, and why the others may not.

use crate::{attribute::keyword, errors::Errors};
use proc_macro2::{Span, TokenStream};
use syn::{Attribute, Data, DataStruct, DeriveInput, Error, Field, Fields, Generics, Ident, Type};

const OWNED: &str = "an event is read back from the outbox, so it owns its fields, such as `String` instead of `&str`";

/// Reads the annotated item; what can have no implementation at all is refused here.
pub(crate) fn parse(item: TokenStream) -> Result<DeriveInput, Error> {
    let keyword = keyword(item.clone());
    let input: DeriveInput =
        syn::parse2(item).map_err(|_| Error::new(keyword, "`#[domain_event]` belongs on a struct with named fields"))?;
    match input.attrs.iter().find(|attr| is(attr, "domain_event")) {
        Some(second) => Err(Error::new_spanned(second, "a type is one event; keep one `#[domain_event]`")),
        None => Ok(input),
    }
}

/// Whether an attribute is the macro `name`, under whatever path.
pub(crate) fn is(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == name)
}

/// The names of the fields, if the type may be a payload.
pub(crate) fn check(input: &DeriveInput, errors: &mut Errors) -> Vec<Ident> {
    check_generics(&input.ident, &input.generics, errors);
    match &input.data {
        Data::Struct(data) => check_fields(input, data, errors),
        Data::Enum(data) => {
            errors.at(data.enum_token.span, "an enum is several facts; annotate one struct per fact, or put the enum in a field");
            Vec::new()
        }
        Data::Union(data) => {
            errors.at(data.union_token.span, "a union cannot be written down; use a struct with named fields");
            Vec::new()
        }
    }
}

fn check_generics(ident: &Ident, generics: &Generics, errors: &mut Errors) {
    if let Some(lifetime) = generics.lifetimes().next() {
        errors.on(lifetime, OWNED);
    }
    if generics.type_params().next().is_some() || generics.const_params().next().is_some() {
        errors.on(
            &generics.params,
            format_args!("an event cannot be generic, because its topic names one payload shape; write one `{ident}` for each"),
        );
    }
}

fn check_fields(input: &DeriveInput, data: &DataStruct, errors: &mut Errors) -> Vec<Ident> {
    let ident = &input.ident;
    match &data.fields {
        Fields::Named(fields) => {
            let fields = &fields.named;
            let mut borrowed = fields.iter().filter_map(borrow);
            if let Some(span) = borrowed.next().filter(|_| input.generics.lifetimes().next().is_none()) {
                errors.at(span, OWNED);
            }
            return fields.iter().filter_map(|field| field.ident.clone()).collect();
        }
        Fields::Unnamed(fields) => {
            errors.on(fields, format_args!("a payload must be able to grow; name the fields: `struct {ident} {{ name: Type }}`"));
        }
        Fields::Unit => match data.semi_token {
            Some(semi) => errors.at(semi.span, unit(ident)),
            None => errors.at(ident.span(), unit(ident)),
        },
    }
    Vec::new()
}

/// Where a field borrows, if it plainly does.
fn borrow(field: &Field) -> Option<Span> {
    match &field.ty {
        Type::Reference(reference) => Some(reference.and_token.span),
        _ => None,
    }
}

fn unit(ident: &Ident) -> String {
    format!("a payload must be able to grow; write `struct {ident} {{}}`")
}
