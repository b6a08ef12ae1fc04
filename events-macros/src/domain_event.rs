//! `#[domain_event]`: parse the annotation, validate it against the struct, write the implementation.

use crate::{
    attribute::{Annotation, Key, Keys, whole},
    duration,
    errors::Errors,
    fields::EventFields,
    json_schema, name,
    nearest::{list, nearest},
    payload, sensitive, stand_in, topic,
};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use std::time::Duration;
use syn::{DeriveInput, Error, Expr, Ident, LitStr, Path, spanned::Spanned};

const KEYS: Keys = Keys {
    of: "domain_event",
    known: &[
        Key { name: "topic", example: "topic = \"order.paid\"", repeatable: false },
        Key { name: "version", example: "version = 2", repeatable: false },
        Key { name: "upcasts", example: "upcasts = OrderPaidV1", repeatable: false },
        Key { name: "since", example: "since = 2", repeatable: false },
        Key { name: "key", example: "key = order_id", repeatable: false },
        Key { name: "local", example: "local", repeatable: false },
        Key { name: "to", example: "to = \"nats\"", repeatable: false },
        Key { name: "delay", example: "delay = \"5s\"", repeatable: false },
    ],
    refused: &[],
};

/// An annotation that was understood.
struct DomainEvent {
    topic: LitStr,
    version: Option<u16>,
    before: Before,
    key: Option<OrderingKey>,
    route: Route,
    delay: Option<Duration>,
    fields: EventFields,
}

/// What was before this version.
enum Before {
    /// Nothing, or nothing that is read as this type.
    Nothing,
    Upcast(Path),
    /// Events exist from this version on.
    Since(u16),
}

/// Who gets the event besides the handlers of this process.
enum Route {
    /// The only transport installed.
    Default,
    Local,
    To(LitStr),
}

enum OrderingKey {
    Field(Ident),
    Expr(Expr),
}

pub(crate) fn expand(annotation: TokenStream, item: &TokenStream) -> TokenStream {
    let input = match payload::parse(item.clone()) {
        Ok(input) => input,
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(#item #error);
        }
    };
    let plain = sensitive::without_marks(&input);
    match validate(annotation, &input) {
        Ok(event) => {
            let generated = event.expand(&input.ident);
            let hidden = event.fields.sensitive();
            match plain {
                Some(mut plain) if !hidden.is_empty() => {
                    let asked_for = sensitive::take_debug(&mut plain);
                    let debug = sensitive::debug(&input, &hidden, asked_for);
                    quote!(#plain #generated #debug)
                }
                _ => quote!(#item #generated),
            }
        }
        Err(error) => {
            let (error, stand_in) = (error.to_compile_error(), stand_in::event(&input));
            match plain {
                Some(plain) => quote!(#plain #error #stand_in),
                None => quote!(#item #error #stand_in),
            }
        }
    }
}

fn validate(annotation: TokenStream, input: &DeriveInput) -> Result<DomainEvent, Error> {
    let mut errors = Errors::default();
    let names = payload::check(input, &mut errors);
    sensitive::misplaced(input, &mut errors);
    let fields = EventFields::read(input, &mut errors);
    let mut given = Annotation::parse(annotation, &KEYS, &mut errors);

    let topic = given.take("topic").map(|entry| entry.checked(topic::check, &mut errors));
    if topic.is_none() {
        let suggested = topic::suggested_by(&input.ident.to_string());
        errors.at(whole(input.ident.span()), format_args!("the topic is missing; write `#[domain_event(topic = \"{suggested}\")]`"));
    }
    let version = given.take("version").and_then(|entry| {
        let number = entry.number(1..=u32::from(u16::MAX), "the first `version` is 1", &mut errors)?;
        u16::try_from(number).ok()
    });
    let before = before(&mut given, version, &mut errors);
    let key = given.take("key").and_then(|entry| {
        let expr = entry.required(&mut errors)?;
        let key = ordering_key(expr, input, &names, &mut errors);
        if let Some(field) = key.sensitive(&fields) {
            errors.at(
                field.span(),
                format_args!(
                    "`{field}` is sensitive, and keys are stored and shown in clear; take another field for the key, such as an id"
                ),
            );
        }
        Some(key)
    });
    let route = route(&mut given, &mut errors);
    let delay = given.take("delay").and_then(|entry| entry.duration(&mut errors)).map(|(_, delay)| delay);

    let event = topic.flatten().map(|topic| DomainEvent { topic, version, before, key, route, delay, fields });
    errors.none_or(event)
}

fn before(given: &mut Annotation, version: Option<u16>, errors: &mut Errors) -> Before {
    let upcasts = given.take("upcasts").map(|entry| (entry.key.span(), entry.required(errors)));
    let since = given.take("since").map(|entry| {
        (
            entry.key.span(),
            entry.number(
                2..=u32::from(version.unwrap_or(u16::MAX)),
                "`since` is a version of this event after the first, up to its own",
                errors,
            ),
        )
    });
    let missing = |key: &str| format!("the first `version` is 1, and nothing was before it; add `version = 2`, or leave out `{key}`");
    match (upcasts, since) {
        (Some((span, _)), Some(_)) => {
            errors.at(span, "the version that `upcasts` names knows what was before it; keep one of `upcasts` and `since`");
            Before::Nothing
        }
        (Some((span, _)), None) if version.is_none_or(|version| version == 1) => {
            errors.at(span, missing("upcasts"));
            Before::Nothing
        }
        (None, Some((span, _))) if version.is_none_or(|version| version == 1) => {
            errors.at(span, missing("since"));
            Before::Nothing
        }
        (Some((_, Some(Expr::Path(path)))), None) if path.qself.is_none() => Before::Upcast(path.path),
        (Some((span, expr)), None) => {
            if expr.is_some() {
                errors.at(span, "`upcasts` names a type, such as `upcasts = OrderPaidV1`");
            }
            Before::Nothing
        }
        (None, Some((_, Some(since)))) => u16::try_from(since).map_or(Before::Nothing, Before::Since),
        (None, _) => Before::Nothing,
    }
}

fn ordering_key(expr: Expr, input: &DeriveInput, fields: &[Ident], errors: &mut Errors) -> OrderingKey {
    let field = match &expr {
        Expr::Path(path) => path.path.get_ident().filter(|ident| *ident != "self").cloned(),
        _ => None,
    };
    let Some(field) = field else { return OrderingKey::Expr(expr) };
    // Without named fields the shape is the mistake, and that is reported already.
    if fields.contains(&field) || !matches!(&input.data, syn::Data::Struct(data) if matches!(data.fields, syn::Fields::Named(_))) {
        return OrderingKey::Field(field);
    }
    let names: Vec<String> = fields.iter().map(ToString::to_string).collect();
    let names = || names.iter().map(String::as_str);
    let hint = match (nearest(&field.to_string(), names()), fields.len()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, 0) => "it has none; another key is an expression such as `key = self.name()`".to_owned(),
        (None, 1) => format!("its field is {}", list(names())),
        (None, _) => format!("its fields are {}", list(names())),
    };
    errors.at(field.span(), format_args!("`{}` has no field `{field}`; {hint}", input.ident));
    OrderingKey::Field(field)
}

fn route(given: &mut Annotation, errors: &mut Errors) -> Route {
    let local = given.take("local").inspect(|entry| entry.flag(errors));
    let Some(to) = given.take("to") else {
        return if local.is_some() { Route::Local } else { Route::Default };
    };
    if local.is_some() {
        errors.at(to.key.span(), "`local` keeps the event in this process and `to` sends it out; keep one of them");
        return Route::Local;
    }
    to.checked(name::check, errors).map_or(Route::Default, Route::To)
}

impl DomainEvent {
    fn expand(&self, ident: &Ident) -> TokenStream {
        let topic = &self.topic;
        let version = self.version.map(|version| quote!(const VERSION: ::core::primitive::u16 = #version;));
        let before = self.before.expand(ident);
        let route = match &self.route {
            Route::Default => TokenStream::new(),
            Route::Local => quote! { const LOCAL: ::core::primitive::bool = true; },
            Route::To(to) => quote! {
                const TO: ::core::option::Option<&'static ::core::primitive::str> = ::core::option::Option::Some(#to);
            },
        };
        let delay = self.delay.map(|delay| {
            let delay = duration::expand(delay);
            quote!(const DELAY: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(#delay);)
        });
        let key = self.key.as_ref().map(OrderingKey::expand);
        let fields = self.fields.expand(self.key.as_ref().map(OrderingKey::written).as_deref());
        quote! {
            #[automatically_derived]
            impl ::events_core::DomainEvent for #ident {
                const TOPIC: &'static ::core::primitive::str = #topic;
                #version
                #before
                #route
                #delay
                #key
                #fields
            }
            ::events_core::__private::inventory::submit! {
                ::events_core::__private::EventDescriptor::of::<#ident>()
            }
        }
    }
}

impl Before {
    fn expand(&self, ident: &Ident) -> TokenStream {
        match self {
            Self::Nothing => TokenStream::new(),
            Self::Since(since) => quote!(const SINCE: ::core::primitive::u16 = #since;),
            // Where the type is named is where is told what it lacks.
            Self::Upcast(old) => quote_spanned! {old.span()=>
                const OLDEST: ::core::primitive::u16 = {
                    ::events_core::__private::follows::<#ident, #old>();
                    <#old as ::events_core::DomainEvent>::OLDEST
                };
                const SINCE: ::core::primitive::u16 = <#old as ::events_core::DomainEvent>::SINCE;
                const GUARDED: ::core::primitive::bool = !<#ident as ::events_core::DomainEvent>::SENSITIVE.is_empty()
                    || <#old as ::events_core::DomainEvent>::GUARDED;

                fn decode_version(
                    version: ::core::primitive::u16,
                    payload: &[::core::primitive::u8],
                ) -> ::core::result::Result<Self, ::events_core::__private::JsonError> {
                    if version >= Self::VERSION {
                        return <Self as ::events_core::EventPayload>::decode(payload);
                    }
                    <#old as ::events_core::DomainEvent>::decode_version(version, payload)
                        .map(<Self as ::events_core::Upcast<#old>>::upcast)
                }
            },
        }
    }
}

impl OrderingKey {
    /// The sensitive field it is made of, if it plainly is.
    fn sensitive(&self, fields: &EventFields) -> Option<Ident> {
        match self {
            Self::Field(field) => fields.is_sensitive(field).then(|| field.clone()),
            Self::Expr(expr) => sensitive::field_in(quote!(#expr), &|ident| fields.is_sensitive(ident)),
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Field(field) => field.to_string(),
            Self::Expr(expr) => json_schema::written(expr),
        }
    }

    fn expand(&self) -> TokenStream {
        let (receiver, value) = match self {
            Self::Field(field) => {
                let receiver = Ident::new("self", field.span());
                (receiver.clone(), quote!(#receiver.#field))
            }
            Self::Expr(expr) => {
                let value = quote!(#expr);
                (receiver_in(value.clone()).unwrap_or_else(|| Ident::new("self", Span::call_site())), value)
            }
        };
        // The borrow reaches from the first token of the value to the last, and so does an error about it.
        let (first, last) = ends(&value);
        let grouped = quote_spanned!(last=> (#value));
        let borrowed = quote_spanned!(first=> &#grouped);
        let text = quote_spanned!(first=> ::events_core::__private::OrderingKey::ordering_key(#borrowed));
        quote! {
            fn key(&#receiver) -> ::core::option::Option<::std::string::String> {
                ::core::option::Option::Some(#text)
            }
        }
    }
}

/// The `self` of an expression. `self` is hygienic: a receiver made up here would not be the one that an expression
/// out of a `macro_rules!` means.
fn receiver_in(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "self" => Some(ident),
        TokenTree::Group(group) => receiver_in(group.stream()),
        _ => None,
    })
}

fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}
