use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(version = 2, key = order_id)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
