use events_core::{State, after_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

struct TicketDesk;

#[after_commit]
async fn issue_ticket(event: OrderPaid, State(_desk): State<TicketDesk>) {
    let _ = event.order_id;
}

fn main() {}
