//! The function under a phase's annotation, and why some functions cannot be handlers.

use crate::{
    argument::{Arguments, Open},
    errors::Errors,
    payload::is,
    phase::Phase,
};
use proc_macro2::TokenStream;
use syn::{
    Attribute, Error, FnArg, GenericParam, Result, ReturnType, Safety, Signature, Visibility,
    parse::{Parse, ParseStream},
};

/// A function whose body stays unread.
pub(crate) struct Function {
    pub(crate) vis: Visibility,
    pub(crate) signature: Signature,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let keyword = input.span();
        let signature =
            input.parse().map_err(|_| Error::new(keyword, "handlers are functions; this annotation belongs on an `async fn`"))?;
        // The body is the compiler's to judge.
        input.parse::<TokenStream>()?;
        match attributes.iter().find(|attribute| Phase::ALL.iter().any(|phase| is(attribute, phase.macro_name()))) {
            Some(second) => Err(Error::new_spanned(second, "a handler runs in one phase; write one function for each")),
            None => Ok(Self { vis, signature }),
        }
    }
}

impl Function {
    /// The arguments, if the function can be a handler of `phase`.
    pub(crate) fn check(&self, phase: Phase, errors: &mut Errors) -> Option<Arguments> {
        let signature = &self.signature;
        self.check_qualifiers(errors);
        if let Some(receiver) = signature.receiver() {
            errors.on(receiver, "a handler is a free function; inject the service with `State<Service>`");
        }
        let types = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(&*argument.ty),
            FnArg::Receiver(_) => None,
        });
        let (arguments, one_borrows) = Arguments::check(types, phase, errors);
        self.check_generics(one_borrows, errors);
        if let ReturnType::Type(_, ty) = &signature.output
            && let Some(Open::Impl(span)) = Open::find(ty)
        {
            errors.at(span, "a handler returns one type; name it instead of `impl`");
        }
        if signature.inputs.is_empty() {
            errors.at(
                signature.paren_token.span.join(),
                format_args!("a handler takes the event first; write `{}(event: OrderPaid)`", signature.ident),
            );
        }
        arguments
    }

    fn check_qualifiers(&self, errors: &mut Errors) {
        let signature = &self.signature;
        if signature.asyncness.is_none() {
            errors.at(signature.fn_token.span, format_args!("a handler is asynchronous; write `async fn {}`", signature.ident));
        }
        if let Safety::Unsafe(token) = &signature.safety {
            errors.at(token.span, "a handler is called by the library, which upholds no contract; remove `unsafe`");
        }
        if let Some(abi) = &signature.abi {
            errors.on(abi, "a handler is a Rust function; remove `extern`");
        }
    }

    fn check_generics(&self, argument_borrows: bool, errors: &mut Errors) {
        let generics = &self.signature.generics.params;
        let is_lifetime = |param: &GenericParam| matches!(param, GenericParam::Lifetime(_));
        if !generics.iter().all(is_lifetime) {
            errors.on(generics, "a handler cannot be generic; write one for each event, and inject what varies with `State<T>`");
        } else if !generics.is_empty() && !argument_borrows {
            // Where an argument borrows, that is the mistake, and it is told there.
            errors.on(generics, "a handler owns its arguments; remove the lifetimes");
        }
    }
}
