use events_core::{after_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

struct NoTicket;

#[after_commit]
async fn issue_ticket(event: OrderPaid) -> Result<(), NoTicket> {
    if event.order_id == 0 { Err(NoTicket) } else { Ok(()) }
}

fn main() {}
