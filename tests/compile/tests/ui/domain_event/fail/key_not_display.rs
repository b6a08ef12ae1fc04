use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct OrderId(i64);

#[domain_event(topic = "order.paid", key = order_id)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: OrderId,
}

fn main() {}
