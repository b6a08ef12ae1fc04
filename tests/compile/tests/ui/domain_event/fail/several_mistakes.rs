use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order paid", version = 0, key = id, delay = "soon", retries = 3)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
