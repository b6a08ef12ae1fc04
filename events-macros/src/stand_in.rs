//! What is written after a mistake: implementations that say nothing but exist, so that the mistake is told once and
//! does not echo through every use of the type or the function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Ident, Visibility};

/// Makes the type a domain event, without registering it.
pub(crate) fn event(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    let (generics, arguments, _) = input.generics.split_for_impl();
    let where_clause = input.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    // The type may lack what an event needs besides. The `for<'any>` keeps the compiler from saying so here.
    quote! {
        #[automatically_derived]
        impl #generics ::events_core::DomainEvent for #ident #arguments
        where
            #(#where_clause,)*
            for<'any> #ident #arguments: ::events_core::EventPayload
                + ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            const TOPIC: &'static ::core::primitive::str = "";
        }
    }
}

/// Makes the function's name a handler, without registering it.
pub(crate) fn handler(vis: &Visibility, ident: &Ident) -> TokenStream {
    quote! {
        #[doc(hidden)]
        #[allow(dead_code, non_camel_case_types, unreachable_pub)]
        #vis enum #ident {}
        #[automatically_derived]
        impl ::events_core::HandlerFn for #ident {
            const DESCRIPTOR: ::events_core::__private::HandlerDescriptor = ::events_core::__private::HandlerDescriptor {
                name: "",
                renamed_from: &[],
                phase: ::events_core::__private::Phase::AfterCommit,
                group: ::core::option::Option::None,
                dedupe: ::core::option::Option::None,
                event: ::events_core::__private::EventDescriptor::NOTHING,
                options: ::events_core::__private::HandlerOptions {
                    attempts: ::core::option::Option::None,
                    backoff: ::core::option::Option::None,
                    timeout: ::core::option::Option::None,
                    concurrency: ::core::option::Option::None,
                    dead_letters: ::core::option::Option::None,
                    effects: ::core::option::Option::None,
                },
                require: |_| {},
                call: ::events_core::__private::HandlerCall::Plain(|_| ::core::unreachable!()),
            };
        }
    }
}
