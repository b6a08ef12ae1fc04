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
use syn::{Error, Expr, Ident, LitStr, ReturnType, Type, ext::IdentExt, spanned::Spanned};

/// A function that was understood.
struct Handler {
    phase: Phase,
    function: Function,
    arguments: Arguments,
    name: LitStr,
    /// Of `#[subscribe]`.
    group: Option<LitStr>,
    /// Of `#[subscribe]`: what tells events apart, as it follows `event.`.
    dedupe: Option<Expr>,
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
    let group = group(phase, &mut given, &function.signature.ident, &mut errors);
    let dedupe = given.take("dedupe").and_then(|entry| entry.required(&mut errors)).and_then(|expr| dedupe(expr, &mut errors));
    let renamed_from = renamed_from(&mut given, &name, &mut errors);
    let options = Options::take(&mut given, &mut errors);
    let manual = given.take("manual").inspect(|entry| entry.flag(&mut errors));
    let arguments = function.check(phase, &mut errors);
    if let (Some(at_most_once), Some(arguments)) = (options.at_most_once(), &arguments)
        && arguments.unit_of_work().is_some()
    {
        errors.at(
            at_most_once,
            "with `&mut UnitOfWork` the effect happens exactly once already; remove this, or the unit of work if the effect is elsewhere",
        );
    }
    let handler = arguments.map(|arguments| Handler {
        phase,
        function,
        arguments,
        name,
        group,
        dedupe,
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

/// Whose subscription the handler hears; only `#[subscribe]` knows the key.
fn group(phase: Phase, given: &mut Annotation, function: &Ident, errors: &mut Errors) -> Option<LitStr> {
    if phase != Phase::Subscribe {
        return None;
    }
    let group = given.take("group").map(|entry| entry.checked(name::check, errors));
    if group.is_none() {
        errors.at(function.span(), "the group is missing; write `#[subscribe(group = \"..\")]`, with the name of the subscription");
    }
    group.flatten()
}

/// A field of the event, a field of a field, or a method of it.
fn dedupe(expr: Expr, errors: &mut Errors) -> Option<Expr> {
    let mut innermost = &expr;
    loop {
        innermost = match innermost {
            Expr::Field(field) => &field.base,
            Expr::MethodCall(call) => &call.receiver,
            Expr::Call(call) => &call.func,
            Expr::Path(path) if path.path.get_ident().is_some_and(|ident| ident != "self" && ident != "event") => return Some(expr),
            _ => break,
        };
    }
    errors.at(expr.span(), "`dedupe` names a field or a method of the event, such as `dedupe = order_id` or `dedupe = number()`");
    None
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
        let group = match &self.group {
            Some(group) => quote!(::core::option::Option::Some(#group)),
            None => quote!(::core::option::Option::None),
        };
        let event = &self.arguments.event;
        let dedupe = match &self.dedupe {
            Some(expr) => {
                let (envelope, opened) = (local("envelope"), local("event"));
                // The expression follows the dot, so that a method of the event can be called too.
                let identity = quote_spanned!(expr.span()=> ::events_core::__private::OrderingKey::ordering_key(&#opened.#expr));
                quote! {
                    ::core::option::Option::Some(|#envelope| {
                        let #opened = <#event as ::events_core::EventArg>::from_envelope(#envelope)?;
                        ::core::result::Result::Ok(#identity)
                    })
                }
            }
            None => quote!(::core::option::Option::None),
        };
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
                        group: #group,
                        dedupe: #dedupe,
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

    fn call(&self) -> TokenStream {
        let (context, unit) = (local("context"), local("unit"));
        let body = self.body(&context, &unit);
        let Some(ty) = self.arguments.unit_of_work() else {
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
