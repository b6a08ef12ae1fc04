use events_core::{domain_event, publish};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {
    let event = OrderPaid { order_id: 1 };
    let _ = publish(&event);
}
