use events_core::{after_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[after_commit(at_most_once = true)]
async fn issue_ticket(event: OrderPaid) {
    let _ = event.order_id;
}

fn main() {}
