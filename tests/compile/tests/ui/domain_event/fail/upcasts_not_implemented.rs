use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.payok")]
#[derive(Serialize, Deserialize)]
struct OrderPaidV1 {
    order_id: i64,
}

#[domain_event(topic = "order.payok", version = 2, upcasts = OrderPaidV1)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
