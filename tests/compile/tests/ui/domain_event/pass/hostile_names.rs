//! Generated code means what it says even where the user's names shadow the usual ones.
#![allow(dead_code, non_camel_case_types)]
use events_core::{DomainEvent as _, after_commit, domain_event};

struct Option;
struct Result;
struct Some;
struct String;
struct Box;
struct bool;
struct u16;
mod std {}
mod core {}

#[domain_event(topic = "order.paid", version = 2, key = id, delay = "1s", local)]
#[derive(::serde::Serialize, ::serde::Deserialize)]
struct OrderPaid {
    id: i64,
}

#[after_commit(attempts = 2, backoff = "1s..5s", timeout = "1s", concurrency = 2)]
async fn event(context: OrderPaid, requirements: ::events_core::Metadata) {
    let _ = (context, requirements);
}

fn main() {
    assert!(OrderPaid { id: 7 }.key().is_some());
}
