use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid<'a> {
    order: &'a str,
}

fn main() {}
