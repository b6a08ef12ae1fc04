//! The mistake is told once, although the event is published, handled and asked for its topic.
use events_core::{DomainEvent, after_commit, domain_event, publish};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[after_commit]
async fn issue_ticket(event: OrderPaid) {
    let _ = event.order_id;
}

fn main() {
    println!("{}", OrderPaid::TOPIC);
    let _ = publish(OrderPaid { order_id: 1 });
}
