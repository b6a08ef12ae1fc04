//! How deliveries to a handler are repeated and limited: `attempts`, `backoff`, `timeout`, `concurrency`, `dead_letters`; and whether they may
//! be repeated at all: `idempotent`, `at_most_once`.

use crate::{
    attribute::Annotation,
    backoff::{self, Backoff},
    duration,
    errors::Errors,
};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::time::Duration;

/// What the annotation says; the outbox knows the rest.
pub(crate) struct Options {
    attempts: Option<u32>,
    backoff: Option<Backoff>,
    timeout: Option<Duration>,
    concurrency: Option<u32>,
    dead_letters: Option<DeadLetters>,
    effects: Option<Effects>,
}

/// The mirror of `events_core::Effects`, and where it stands.
enum Effects {
    Idempotent,
    AtMostOnce(Span),
}

/// The mirror of `events_core::DeadLetterPolicy`.
enum DeadLetters {
    Continue,
    BlockKey,
}

impl Options {
    /// Takes the keys that are options.
    pub(crate) fn take(given: &mut Annotation, errors: &mut Errors) -> Self {
        let effects = Effects::take(given, errors);
        let attempts = given
            .take("attempts")
            .and_then(|entry| entry.number(1..=u32::MAX, "`attempts` is at least 1, because the first delivery counts", errors));
        let backoff = given.take("backoff").and_then(|entry| {
            let text = entry.string(errors)?;
            let reasons = match backoff::parse(&text.value()) {
                Ok(backoff) => return Some(backoff),
                Err(reasons) => reasons,
            };
            for reason in reasons {
                errors.at(text.span(), reason);
            }
            None
        });
        let timeout = given.take("timeout").and_then(|entry| {
            let (text, timeout) = entry.duration(errors)?;
            if timeout.is_zero() {
                errors.at(text.span(), "a timeout of zero leaves no time; leave `timeout` out for the default");
            }
            Some(timeout)
        });
        let concurrency = given
            .take("concurrency")
            .and_then(|entry| entry.number(1..=u32::MAX, "`concurrency` is at least 1, or nothing would be delivered", errors));
        let dead_letters = given.take("dead_letters").and_then(|entry| {
            let text = entry.string(errors)?;
            match &*text.value() {
                "continue" => Some(DeadLetters::Continue),
                "block_key" => Some(DeadLetters::BlockKey),
                other => {
                    errors.at(
                        text.span(),
                        format_args!(
                            "`{other}` says nothing of what waits behind a dead letter; write `\"block_key\"` to hold it back, or `\"continue\"` to go on"
                        ),
                    );
                    None
                }
            }
        });
        Self { attempts, backoff, timeout, concurrency, dead_letters, effects }
    }

    /// Where it is said that the handler is called at most once.
    pub(crate) fn at_most_once(&self) -> Option<Span> {
        match self.effects {
            Some(Effects::AtMostOnce(span)) => Some(span),
            _ => None,
        }
    }

    pub(crate) fn expand(&self) -> TokenStream {
        let attempts = option(self.attempts.map(|attempts| quote!(#attempts)));
        let backoff = option(self.backoff.as_ref().map(|backoff| {
            let backoff = waits(backoff);
            quote!(const { &::events_core::__private::Backoff::#backoff })
        }));
        let timeout = option(self.timeout.map(duration::expand));
        let concurrency = option(self.concurrency.map(|concurrency| quote!(#concurrency as ::core::primitive::usize)));
        let dead_letters = option(self.dead_letters.as_ref().map(|policy| match policy {
            DeadLetters::Continue => quote!(::events_core::__private::DeadLetterPolicy::Continue),
            DeadLetters::BlockKey => quote!(::events_core::__private::DeadLetterPolicy::BlockKey),
        }));
        let effects = option(self.effects.as_ref().map(|effects| match effects {
            Effects::Idempotent => quote!(::events_core::__private::Effects::Idempotent),
            Effects::AtMostOnce(_) => quote!(::events_core::__private::Effects::AtMostOnce),
        }));
        quote! {
            ::events_core::__private::HandlerOptions {
                attempts: #attempts,
                backoff: #backoff,
                timeout: #timeout,
                concurrency: #concurrency,
                dead_letters: #dead_letters,
                effects: #effects,
            }
        }
    }
}

impl Effects {
    /// Takes the two flags, of which one may be there, and what would contradict them.
    fn take(given: &mut Annotation, errors: &mut Errors) -> Option<Self> {
        let mut flag = |key| {
            let entry = given.take(key)?;
            entry.flag(errors);
            Some(entry.key.span())
        };
        let (idempotent, at_most_once) = (flag("idempotent"), flag("at_most_once"));
        let Some(at_most_once) = at_most_once else { return idempotent.map(|_| Self::Idempotent) };
        if idempotent.is_some() {
            errors.at(at_most_once, "`idempotent` says that a call may be repeated, `at_most_once` that it must not be; keep one of them");
        }
        for key in ["attempts", "backoff"] {
            if let Some(entry) = given.take(key) {
                errors.at(entry.key.span(), "a handler that is called at most once has one attempt; remove this");
            }
        }
        Some(Self::AtMostOnce(at_most_once))
    }
}

fn waits(backoff: &Backoff) -> TokenStream {
    match backoff {
        Backoff::Exponential { first, max } => {
            let (first, max) = (duration::expand(*first), duration::expand(*max));
            quote!(Exponential { first: #first, max: #max })
        }
        Backoff::Fixed(wait) => {
            let wait = duration::expand(*wait);
            quote!(Fixed(#wait))
        }
        Backoff::Schedule(waits) => {
            let waits = waits.iter().copied().map(duration::expand);
            quote!(Schedule(&[#(#waits),*]))
        }
    }
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
