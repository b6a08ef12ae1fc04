//! The mistake is told once, although the event is published and handled.
use events_core::{after_commit, domain_event, publish};

#[domain_event(topic = "order.paid", key = order_id)]
struct OrderPaid {
    order_id: i64,
}

#[after_commit]
async fn issue_ticket(event: OrderPaid) {
    let _ = event.order_id;
}

fn main() {
    let _ = publish(OrderPaid { order_id: 1 });
}
