//! What a handler takes: the event first, then extractors and at most one unit of work.

use crate::{errors::Errors, phase::Phase};
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Type, TypeReference};

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

impl Arguments {
    /// Tells the event from the others, and whether one of them was refused because it borrows.
    pub(crate) fn check<'a>(types: impl Iterator<Item = &'a Type>, phase: Phase, errors: &mut Errors) -> (Option<Self>, bool) {
        let mut types = types.map(ungrouped);
        let mut check = Check { phase, errors, has_unit: false, borrows: false };
        let event = types.next().and_then(|ty| check.event(ty));
        let others = types.filter_map(|ty| check.other(ty)).collect();
        (event.map(|event| Self { event, others }), check.borrows)
    }

    /// The type of the unit of work that is taken, if one is.
    pub(crate) fn unit_of_work(&self) -> Option<&Type> {
        self.others.iter().find_map(|argument| match argument {
            Argument::UnitOfWork(ty) => Some(ty),
            Argument::Extracted(_) => None,
        })
    }
}

struct Check<'a> {
    phase: Phase,
    errors: &'a mut Errors,
    has_unit: bool,
    borrows: bool,
}

impl Check<'_> {
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
            self.reject(reference, "the transaction is over when this handler runs; remove this, and write in a new `UnitOfWork::run`");
        } else if self.has_unit {
            self.reject(reference, "a handler has one unit of work; remove this one, or take shared state as `State<T>`");
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
        match Open::find(inner) {
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

/// What keeps a type from being one type, and where.
pub(crate) enum Open {
    Impl(Span),
    Borrow(Span),
}

impl Open {
    pub(crate) fn find(ty: &Type) -> Option<Self> {
        Self::find_in(ty.to_token_stream())
    }

    /// Parentheses are passed over, because a borrow in `Fn(&str)` is not one of the handler's.
    fn find_in(tokens: TokenStream) -> Option<Self> {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let found = match token {
                TokenTree::Ident(ident) if ident == "impl" => Some(Self::Impl(ident.span())),
                TokenTree::Punct(and) if and.as_char() == '&' => {
                    let named = tokens.peek().is_some_and(|next| matches!(next, TokenTree::Punct(tick) if tick.as_char() == '\''));
                    (!named).then(|| Self::Borrow(and.span()))
                }
                TokenTree::Punct(tick) if tick.as_char() == '\'' => match tokens.next() {
                    Some(TokenTree::Ident(name)) if name == "_" => Some(Self::Borrow(name.span())),
                    _ => None,
                },
                TokenTree::Group(group) if group.delimiter() != Delimiter::Parenthesis => Self::find_in(group.stream()),
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ty: &str, borrows: bool) {
        let ty: Type = syn::parse_str(ty).expect("a type");
        assert_eq!(matches!(Open::find(&ty), Some(Open::Borrow(_))), borrows);
    }

    #[test]
    fn a_borrow_without_a_name_is_found_wherever_it_is() {
        for ty in ["State<&str>", "State<Cow<'_, str>>", "[&u8; 3]", "State<Vec<&mut u8>>"] {
            check(ty, true);
        }
    }

    #[test]
    fn owned_static_and_called_types_are_left_alone() {
        for ty in ["State<Desk>", "State<&'static str>", "State<Arc<dyn Fn(&str) -> u8>>", "State<Cow<'static, str>>"] {
            check(ty, false);
        }
    }

    #[test]
    fn impl_is_found_within_a_type() {
        let ty: Type = syn::parse_quote!(Result<(), impl Error>);
        assert!(matches!(Open::find(&ty), Some(Open::Impl(_))));
    }
}
