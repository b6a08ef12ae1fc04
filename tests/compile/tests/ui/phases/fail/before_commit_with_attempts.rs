use events_core::{before_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[before_commit(attempts = 3, at_most_once)]
async fn audit(event: &OrderPaid) {
    let _ = event.order_id;
}

fn main() {}
