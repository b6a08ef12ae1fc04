use events_core::{domain_event, subscribe};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.payok")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
    lines: Vec<i64>,
}

#[subscribe(group = "ticketing", dedupe = "order_id")]
async fn issue_ticket(event: OrderPaid) {
    let _ = event;
}

fn main() {}
