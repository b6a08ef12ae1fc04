use events_core::domain_event;
use serde::Serialize;

#[domain_event(topic = "order.paid")]
#[derive(Serialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
