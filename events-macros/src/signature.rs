//! The function under a phase's annotation: its event, its arguments, and why some functions cannot be handlers.

use crate::{errors::Errors, payload::is, phase::Phase};
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Error, FnArg, GenericParam, Result, ReturnType, Safety, Signature, Type, TypeReference, Visibility,
    parse::{Parse, ParseStream},
};

/// A function whose body stays unread.
pub(crate) struct Function {
    pub(crate) vis: Visibility,
    pub(crate) signature: Signature,
}

/// The arguments of a function that can be a handler.
pub(crate) struct Arguments {
    pub(crate) event: Type,
    pub(crate) others: Vec<Argument>,
}

/// An argument after the event.
pub(crate) enum Argument {
    Extracted(Type),
    /// `&mut T`, without the `&mut`.
    UnitOfWork(Type),
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let keyword = input.span();
        let signature = input
            .parse()
            .map_err(|_| Error::new(keyword, "handlers are functions; this annotation belongs on an `async fn`"))?;
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
        let mut types = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(ungrouped(&argument.ty)),
            FnArg::Receiver(_) => None,
        });
        let mut arguments = ArgumentCheck { phase, errors, has_unit: false, borrows: false };
        let event = types.next().and_then(|ty| arguments.event(ty));
        let others = types.filter_map(|ty| arguments.other(ty)).collect();
        let borrows = arguments.borrows;
        self.check_generics(borrows, errors);
        if let ReturnType::Type(_, ty) = &signature.output
            && let Some(Open::Impl(span)) = open(ty)
        {
            errors.at(span, "a handler returns one type; name it instead of `impl`");
        }
        if signature.inputs.is_empty() {
            errors.at(
                signature.paren_token.span.join(),
                format_args!("a handler takes the event first; write `{}(event: OrderPaid)`", signature.ident),
            );
        }
        Some(Arguments { event: event?, others })
    }

    fn check_qualifiers(&self, errors: &mut Errors) {
        let signature = &self.signature;
        if signature.asyncness.is_none() {
            errors.at(
                signature.fn_token.span,
                format_args!("a handler is asynchronous; write `async fn {}`", signature.ident),
            );
        }
        if let Safety::Unsafe(token) = &signature.safety {
            errors.at(token.span, "a handler is called by the library, which upholds no contract; remove `unsafe`");
        }
        if let Some(abi) = &signature.abi {
            errors.on(abi, "a handler is a Rust function; remove `extern`");
        }
    }

    fn check_generics(&self, borrows: bool, errors: &mut Errors) {
        let generics = &self.signature.generics.params;
        let is_lifetime = |param: &GenericParam| matches!(param, GenericParam::Lifetime(_));
        if !generics.iter().all(is_lifetime) {
            errors.on(generics, "a handler cannot be generic; write one for each event, and inject what varies with `State<T>`");
        } else if !generics.is_empty() && !borrows {
            // Where an argument borrows, that is the mistake, and it is told there.
            errors.on(generics, "a handler owns its arguments; remove the lifetimes");
        }
    }
}

struct ArgumentCheck<'a> {
    phase: Phase,
    errors: &'a mut Errors,
    has_unit: bool,
    borrows: bool,
}

impl ArgumentCheck<'_> {
    fn event(&mut self, ty: &Type) -> Option<Type> {
        if !self.is_owned(ty) {
            return None;
        }
        match (ty, self.phase.borrows_event()) {
            (Type::Reference(reference), true) => {
                if let Some(mutability) = &reference.mutability {
                    self.errors.at(mutability.span, "an event is a fact that nobody changes; take it by `&`");
                }
                return Some((*reference.elem).clone());
            }
            (Type::Reference(reference), false) => {
                self.reject(reference, "a handler owns its event; take it by value, without the `&`");
            }
            (ty, true) => {
                self.errors.on(ty, "the event is still to be written when this handler runs; take it by `&`");
            }
            (ty, false) => return Some(ty.clone()),
        }
        None
    }

    fn other(&mut self, ty: &Type) -> Option<Argument> {
        if !self.is_owned(ty) {
            return None;
        }
        let Type::Reference(reference) = ty else { return Some(Argument::Extracted(ty.clone())) };
        if reference.mutability.is_none() {
            self.reject(reference, "a handler owns its arguments; take shared state by value, as `State<T>`");
        } else if !self.phase.has_unit_of_work() {
            self.reject(
                reference,
                "the transaction is over when this handler runs; remove this, and write in a new `UnitOfWork::run`",
            );
        } else if self.has_unit {
            self.reject(
                reference,
                "a handler has one unit of work; remove this one, or take shared state as `State<T>`",
            );
        } else {
            self.has_unit = true;
            return Some(Argument::UnitOfWork((*reference.elem).clone()));
        }
        None
    }

    fn reject(&mut self, reference: &TypeReference, message: impl std::fmt::Display) {
        self.borrows = true;
        self.errors.at(reference.and_token.span, message);
    }

    /// Whether the type, but for a leading `&`, neither borrows nor leaves anything open; if not, it is reported.
    fn is_owned(&mut self, ty: &Type) -> bool {
        let inner = match ty {
            Type::Reference(reference) => ungrouped(&reference.elem),
            other => other,
        };
        match open(inner) {
            Some(Open::Impl(span)) => self.errors.at(span, "a handler is called with one type; name it instead of `impl`"),
            Some(Open::Borrow(span)) => {
                self.borrows = true;
                self.errors.at(span, "a handler owns its arguments; use an owned type, or `&'static`");
            }
            None => return true,
        }
        false
    }
}

/// The type without the invisible parentheses that a `macro_rules!` variable is wrapped in.
fn ungrouped(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
}

/// What keeps a type from being one type.
enum Open {
    Impl(Span),
    Borrow(Span),
}

fn open(ty: &Type) -> Option<Open> {
    open_in(ty.to_token_stream())
}

/// Parentheses are passed over, because a borrow in `Fn(&str)` is not one of the handler's.
fn open_in(tokens: TokenStream) -> Option<Open> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "impl" => return Some(Open::Impl(ident.span())),
            TokenTree::Punct(and) if and.as_char() == '&' => {
                if !matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'') {
                    return Some(Open::Borrow(and.span()));
                }
            }
            TokenTree::Punct(tick) if tick.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == "_" => return Some(Open::Borrow(name.span())),
                _ => {}
            },
            TokenTree::Group(group) if group.delimiter() != Delimiter::Parenthesis => {
                if let Some(found) = open_in(group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}
