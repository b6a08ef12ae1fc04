use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
