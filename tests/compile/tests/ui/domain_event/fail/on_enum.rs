use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.changed")]
#[derive(Serialize, Deserialize)]
enum OrderChanged {
    Paid { order_id: i64 },
    Cancelled { order_id: i64 },
}

fn main() {}
