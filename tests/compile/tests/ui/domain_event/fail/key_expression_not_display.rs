use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid", key = self.order_id.checked_add(1))]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
