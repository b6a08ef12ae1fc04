use events_core::{UnitOfWorkArg, after_completion, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

struct UnitOfWork;
impl UnitOfWorkArg for UnitOfWork {}

#[after_completion]
async fn audit(event: OrderPaid, _uow: &mut UnitOfWork) {
    let _ = event.order_id;
}

fn main() {}
