use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid", local = false)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
