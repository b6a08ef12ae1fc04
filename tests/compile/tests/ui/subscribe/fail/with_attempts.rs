use events_core::{domain_event, subscribe};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[subscribe(group = "ticketing", attempts = 3, idempotent)]
async fn issue(event: OrderPaid) {
    let _ = event.order_id;
}

fn main() {}
