//! `#[event(sensitive)]` on a field: what must not be shown, and a `Debug` that does not show it.

use crate::errors::Errors;
use crate::nearest::nearest;
use crate::payload::is;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, Ident, Meta, Path, Token, ext::IdentExt, parse::Parser, punctuated::Punctuated,
    spanned::Spanned,
};

/// The attribute's name.
const EVENT: &str = "event";
const TAKES: &str = "`#[event(..)]` on a field takes `sensitive`";

/// Where a field is called sensitive, if it is; every mistake in its `#[event(..)]` is reported.
pub(crate) fn marked(field: &Field, errors: &mut Errors) -> Option<Span> {
    let mut marked = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident(EVENT)) {
        for word in words(attribute, errors) {
            match &word {
                Meta::Path(path) if path.is_ident("sensitive") => match marked {
                    Some(_) => errors.at(path.span(), "`sensitive` is given twice; keep one of them"),
                    None => marked = Some(path.span()),
                },
                other if other.path().is_ident("sensitive") => {
                    marked = marked.or(Some(other.path().span()));
                    errors.on(other, "`sensitive` takes no value; write `#[event(sensitive)]`, or leave it out");
                }
                other => unknown(other.path(), errors),
            }
        }
    }
    marked
}

fn words(attribute: &Attribute, errors: &mut Errors) -> Vec<Meta> {
    let list = match &attribute.meta {
        Meta::List(list) if !list.tokens.is_empty() => list,
        other => {
            errors.on(other, "this says nothing; write `#[event(sensitive)]`, or leave it out");
            return Vec::new();
        }
    };
    match Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone()) {
        Ok(words) => words.into_iter().collect(),
        Err(error) => {
            errors.at(error.span(), TAKES);
            Vec::new()
        }
    }
}

fn unknown(path: &Path, errors: &mut Errors) {
    let name = path.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default();
    let hint = nearest(&name, ["sensitive"]).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
    errors.on(path, format_args!("unknown word `{name}`; {hint}{TAKES}"));
}

/// Reports `#[event(..)]` where it means nothing: on the struct.
pub(crate) fn misplaced(input: &DeriveInput, errors: &mut Errors) {
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident(EVENT)) {
        errors.on(attribute.path(), "`#[event(..)]` belongs on a field; what concerns the whole event stands in `#[domain_event(..)]`");
    }
}

/// The item without what only this macro understands; `None` if there is nothing of that, and the item can stay as it was written.
pub(crate) fn without_marks(input: &DeriveInput) -> Option<DeriveInput> {
    let mut input = input.clone();
    let mut found = false;
    let mut strip = |attributes: &mut Vec<Attribute>| {
        let before = attributes.len();
        attributes.retain(|attribute| !attribute.path().is_ident(EVENT));
        found |= attributes.len() != before;
    };
    strip(&mut input.attrs);
    match &mut input.data {
        Data::Struct(data) => data.fields.iter_mut().for_each(|field| strip(&mut field.attrs)),
        Data::Union(data) => data.fields.named.iter_mut().for_each(|field| strip(&mut field.attrs)),
        Data::Enum(data) => data.variants.iter_mut().for_each(|variant| {
            strip(&mut variant.attrs);
            variant.fields.iter_mut().for_each(|field| strip(&mut field.attrs));
        }),
    }
    found.then_some(input)
}

/// Takes `Debug` out of the derives; whether it was there.
pub(crate) fn take_debug(input: &mut DeriveInput) -> bool {
    let mut taken = false;
    for attribute in &mut input.attrs {
        let Meta::List(list) = &mut attribute.meta else { continue };
        if !list.path.is_ident("derive") {
            continue;
        }
        let Ok(derives) = Punctuated::<Path, Token![,]>::parse_terminated.parse2(list.tokens.clone()) else { continue };
        let is_debug = |path: &Path| path.segments.last().is_some_and(|last| last.ident == "Debug");
        if derives.iter().any(is_debug) {
            taken = true;
            let others = derives.into_iter().filter(|path| !is_debug(path));
            list.tokens = quote!(#(#others),*);
        }
    }
    input.attrs.retain(|attribute| !(is(attribute, "derive") && matches!(&attribute.meta, Meta::List(list) if list.tokens.is_empty())));
    taken
}

/// A `Debug` that shows nothing sensitive. Written for every type with sensitive fields, and placed at the first one's mark: a `Debug` that was
/// derived above the annotation, which would show everything, collides with it there. Where `Debug` was not asked for, no field is shown,
/// because the fields' types may have none.
pub(crate) fn debug(input: &DeriveInput, sensitive: &[(Ident, Span)], asked_for: bool) -> TokenStream {
    let Some((_, span)) = sensitive.first() else { return TokenStream::new() };
    let ident = &input.ident;
    let name = ident.unraw().to_string();
    let fields: Vec<&Ident> = match &input.data {
        Data::Struct(data) if asked_for => match &data.fields {
            Fields::Named(fields) => fields.named.iter().filter_map(|field| field.ident.as_ref()).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let shown = fields.iter().map(|field| {
        let label = field.unraw().to_string();
        if sensitive.iter().any(|(hidden, _)| hidden == *field) {
            quote!(::core::fmt::DebugStruct::field(&mut shown, #label, &::core::format_args!("<sensitive>"));)
        } else {
            quote!(::core::fmt::DebugStruct::field(&mut shown, #label, &self.#field);)
        }
    });
    let finish = if asked_for { quote!(finish) } else { quote!(finish_non_exhaustive) };
    let body = quote! {
        let mut shown = ::core::fmt::Formatter::debug_struct(f, #name);
        #(#shown)*
        ::core::fmt::DebugStruct::#finish(&mut shown)
    };
    quote_spanned! {*span=>
        #[automatically_derived]
        impl ::core::fmt::Debug for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #body
            }
        }
    }
}

/// The sensitive field that an expression names as `self.field`, and where.
pub(crate) fn field_in(tokens: TokenStream, is_sensitive: &impl Fn(&Ident) -> bool) -> Option<Ident> {
    let mut before = [false; 2];
    for token in tokens {
        let (is_self, is_dot) = match &token {
            TokenTree::Ident(ident) => (ident == "self", false),
            TokenTree::Punct(punct) => (false, before[0] && punct.as_char() == '.'),
            _ => (false, false),
        };
        match token {
            TokenTree::Ident(ident) if before[1] && is_sensitive(&ident) => return Some(ident),
            TokenTree::Group(group) => {
                if let Some(found) = field_in(group.stream(), is_sensitive) {
                    return Some(found);
                }
            }
            _ => {}
        }
        before = [is_self, is_dot];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn debug_is_taken_out_of_every_derive_under_any_path() {
        let mut input: DeriveInput = parse_quote! {
            #[derive(Clone, std::fmt::Debug, Serialize)]
            #[derive(Debug)]
            struct E { a: i64, }
        };
        assert!(take_debug(&mut input));
        assert_eq!(
            quote!(#input).to_string(),
            quote!(
                #[derive(Clone, Serialize)]
                struct E {
                    a: i64,
                }
            )
            .to_string()
        );
        assert!(!take_debug(&mut input));
    }

    #[test]
    fn only_marks_are_stripped() {
        let input: DeriveInput = parse_quote! { struct E { #[event(sensitive)] #[serde(rename = "b")] a: i64, } };
        let stripped = without_marks(&input).expect("there was a mark");
        assert_eq!(
            quote!(#stripped).to_string(),
            quote!(
                struct E {
                    #[serde(rename = "b")]
                    a: i64,
                }
            )
            .to_string()
        );
        assert!(without_marks(&stripped).is_none());
    }

    #[test]
    fn a_sensitive_field_is_found_inside_of_expressions() {
        let is_card = |ident: &Ident| ident == "card";
        let found = |tokens| field_in(tokens, &is_card).is_some();
        assert!(found(quote!(format!("{}", self.card))));
        assert!(found(quote!(self.card.number)));
        assert!(!found(quote!(self.order.card)), "that is another type's field");
        assert!(!found(quote!(card)));
    }
}
