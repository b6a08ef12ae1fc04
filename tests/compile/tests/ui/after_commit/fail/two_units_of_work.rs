use events_core::{UnitOfWorkArg, after_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

struct UnitOfWork;
impl UnitOfWorkArg for UnitOfWork {}

#[after_commit]
async fn issue_ticket(event: OrderPaid, _one: &mut UnitOfWork, _two: &mut UnitOfWork) {
    let _ = event.order_id;
}

fn main() {}
