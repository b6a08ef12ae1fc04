//! `#[after_commit]` and its siblings: parse the function, validate it for its phase, write its descriptor.

use crate::{
    argument::{Argument, Arguments},
    attribute::Annotation,
    errors::Errors,
    name,
    options::Options,
    phase::Phase,
    signature::Function,
    stand_in,
};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Error, Ident, LitStr, ReturnType, Type, ext::IdentExt, spanned::Spanned};

/// A function that was understood.
struct Handler {
    phase: Phase,
    function: Function,
    arguments: Arguments,
    name: LitStr,
    renamed_from: Vec<LitStr>,
    options: Options,
    registered: bool,
}

pub(crate) fn expand(phase: Phase, annotation: TokenStream, item: &TokenStream) -> TokenStream {
    let generated = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => {
            let (vis, ident) = (function.vis.clone(), function.signature.ident.clone());
            let is_method = function.signature.receiver().is_some();
            match validate(phase, annotation, function) {
                Ok(handler) => handler.expand(),
                // Between the methods of an `impl`, no type can be declared.
                Err(error) if is_method => error.to_compile_error(),
                Err(error) => [error.to_compile_error(), stand_in::handler(&vis, &ident)].into_iter().collect(),
            }
        }
        Err(error) => error.to_compile_error(),
    };
    quote!(#item #generated)
}

fn validate(phase: Phase, annotation: TokenStream, function: Function) -> Result<Handler, Error> {
    let mut errors = Errors::default();
    let mut given = Annotation::parse(annotation, phase.keys(), &mut errors);
    let name = name(&mut given, &function.signature.ident, &mut errors);
    let renamed_from = renamed_from(&mut given, &name, &mut errors);
    let options = Options::take(&mut given, &mut errors);
    let manual = given.take("manual").inspect(|entry| entry.flag(&mut errors));
    let handler = function.check(phase, &mut errors).map(|arguments| Handler {
        phase,
        function,
        arguments,
        name,
        renamed_from,
        options,
        registered: manual.is_none(),
    });
    errors.none_or(handler)
}

/// The name given, or that of the function: nothing of its module, so that moving it changes nothing.
fn name(given: &mut Annotation, function: &Ident, errors: &mut Errors) -> LitStr {
    let default = LitStr::new(&function.unraw().to_string(), function.span());
    if let Some(entry) = given.take("name") {
        return entry.checked(name::check_handler, errors).unwrap_or(default);
    }
    if let Err(reason) = name::check_handler(&default.value()) {
        errors.at(function.span(), format_args!("{reason}; name the handler with `name = \"...\"`"));
    }
    default
}

fn renamed_from(given: &mut Annotation, name: &LitStr, errors: &mut Errors) -> Vec<LitStr> {
    let mut former: Vec<LitStr> = Vec::new();
    let texts: Vec<LitStr> = given.take_all("renamed_from").into_iter().flat_map(|entry| entry.strings(errors)).collect();
    for text in texts {
        let value = text.value();
        if let Err(message) = name::check_handler(&value) {
            errors.at(text.span(), message);
        } else if value == name.value() {
            errors.at(text.span(), format_args!("`{value}` is the handler's present name; give former ones"));
        } else if former.iter().any(|other| other.value() == value) {
            errors.at(text.span(), format_args!("`{value}` is given twice; keep one of them"));
        } else {
            former.push(text);
        }
    }
    former
}

impl Handler {
    fn expand(&self) -> TokenStream {
        let (vis, ident) = (&self.function.vis, &self.function.signature.ident);
        let (name, renamed_from) = (&self.name, &self.renamed_from);
        let phase = self.phase.variant();
        let event = &self.arguments.event;
        let event = quote_spanned!(event.span()=> <#event as ::events_core::EventArg>::DESCRIPTOR);
        let options = self.options.expand();
        let require = self.require();
        let call = self.call();
        let submit = self.registered.then(|| {
            quote! {
                ::events_core::__private::inventory::submit! {
                    &<#ident as ::events_core::HandlerFn>::DESCRIPTOR
                }
            }
        });
        quote! {
            #[doc(hidden)]
            #[allow(dead_code, non_camel_case_types, unreachable_pub)]
            #vis enum #ident {}
            #[automatically_derived]
            impl ::events_core::HandlerFn for #ident {
                const DESCRIPTOR: ::events_core::__private::HandlerDescriptor =
                    ::events_core::__private::HandlerDescriptor {
                        name: #name,
                        renamed_from: &[#(#renamed_from),*],
                        phase: ::events_core::__private::Phase::#phase,
                        event: #event,
                        options: #options,
                        require: #require,
                        call: #call,
                    };
            }
            #submit
        }
    }

    fn require(&self) -> TokenStream {
        let requirements = local("requirements");
        let required: Vec<_> =
            self.extracted().map(|ty| quote_spanned!(ty.span()=> <#ty as ::events_core::FromContext>::require(#requirements);)).collect();
        if required.is_empty() { quote!(|_| {}) } else { quote!(|#requirements| { #(#required)* }) }
    }

    fn extracted(&self) -> impl Iterator<Item = &Type> {
        self.arguments.others.iter().filter_map(|argument| match argument {
            Argument::Extracted(ty) => Some(ty),
            Argument::UnitOfWork(_) => None,
        })
    }

    fn unit_of_work(&self) -> Option<&Type> {
        self.arguments.others.iter().find_map(|argument| match argument {
            Argument::UnitOfWork(ty) => Some(ty),
            Argument::Extracted(_) => None,
        })
    }

    fn call(&self) -> TokenStream {
        let (context, unit) = (local("context"), local("unit"));
        let body = self.body(&context, &unit);
        let Some(ty) = self.unit_of_work() else {
            return quote!(::events_core::__private::HandlerCall::Plain(|#context| #body));
        };
        let unit_type = quote_spanned!(ty.span()=> ::events_core::__private::UnitOfWorkType::of::<#ty>());
        quote! {
            ::events_core::__private::HandlerCall::InUnitOfWork { unit: #unit_type, call: |#context, #unit| #body }
        }
    }

    /// Decodes the event, extracts the arguments, calls the function.
    fn body(&self, context: &Ident, unit: &Ident) -> TokenStream {
        let ident = &self.function.signature.ident;
        let (ty, event) = (&self.arguments.event, local("event"));
        let decoded = quote_spanned! {ty.span()=>
            <#ty as ::events_core::EventArg>::from_envelope(#context.envelope())?
        };
        let passed = if self.phase.borrows_event() { quote!(&#event) } else { quote!(#event) };
        let names: Vec<Ident> = (0..self.arguments.others.len()).map(|i| local(&format!("argument_{i}"))).collect();
        let others = self.arguments.others.iter().zip(&names).map(|(argument, name)| match argument {
            Argument::Extracted(ty) => quote_spanned! {ty.span()=>
                let #name = <#ty as ::events_core::FromContext>::from_context(#context)?;
            },
            Argument::UnitOfWork(ty) => self.downcast(ty, name, unit),
        });
        let into_outcome = match &self.function.signature.output {
            ReturnType::Type(_, ty) => {
                quote_spanned!(ty.span()=> <#ty as ::events_core::__private::IntoOutcome>::into_outcome)
            }
            ReturnType::Default => quote!(::events_core::__private::IntoOutcome::into_outcome),
        };
        // The function's name is where a future that is not `Send` is reported.
        quote_spanned! {ident.span()=>
            ::std::boxed::Box::pin(async move {
                let #event = #decoded;
                #(#others)*
                #into_outcome(#ident(#passed, #(#names),*).await)
            })
        }
    }

    fn downcast(&self, ty: &Type, name: &Ident, unit: &Ident) -> TokenStream {
        let wanted = quote!(#ty).to_string();
        let message =
            format!("handler `{}` takes `&mut {wanted}`, but the outbox that delivers to it has another unit of work", self.name.value());
        quote! {
            let ::core::option::Option::Some(#name) = #unit.downcast_mut::<#ty>() else {
                return ::core::result::Result::Err(::events_core::DeliveryError::terminal(#message));
            };
        }
    }
}

/// A variable that no token of the user's can see.
fn local(name: &str) -> Ident {
    format_ident!("{}", name, span = Span::mixed_site())
}
