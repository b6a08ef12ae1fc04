use events_core::{after_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[after_commit]
async fn issue_ticket(event: OrderPaid) -> Result<(), impl std::error::Error> {
    if event.order_id == 0 { Err(std::fmt::Error) } else { Ok(()) }
}

fn main() {}
