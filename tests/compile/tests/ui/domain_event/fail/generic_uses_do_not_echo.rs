//! The mistake is told once, although the event is published.
use events_core::{domain_event, publish};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid<Id> {
    order_id: Id,
}

fn main() {
    let _ = publish(OrderPaid { order_id: 1 });
}
