use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.payok", version = 2, since = 3)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
