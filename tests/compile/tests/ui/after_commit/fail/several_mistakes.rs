use events_core::{after_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[after_commit(attempts = 0, backoff = "10m..1s", timeout = "30", cuncurrency = 8, name = "")]
fn issue_ticket<T>(event: &OrderPaid, _desk: &String) {
    let _ = event.order_id;
}

fn main() {}
