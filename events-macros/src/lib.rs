//! The attribute macros of `events-core`, which re-exports them.
#![allow(missing_docs)]
mod attribute;
mod backoff;
mod domain_event;
mod duration;
mod errors;
mod handler;
mod name;
mod nearest;
mod payload;
mod phase;
mod signature;
mod stand_in;
mod topic;
mod value;

use phase::Phase;
use proc_macro::TokenStream;

#[proc_macro_attribute]
pub fn domain_event(annotation: TokenStream, item: TokenStream) -> TokenStream {
    domain_event::expand(annotation.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn before_commit(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::BeforeCommit, annotation.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn after_commit(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::AfterCommit, annotation.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn after_rollback(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::AfterRollback, annotation.into(), item.into()).into()
}

#[proc_macro_attribute]
pub fn after_completion(annotation: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(Phase::AfterCompletion, annotation.into(), item.into()).into()
}
