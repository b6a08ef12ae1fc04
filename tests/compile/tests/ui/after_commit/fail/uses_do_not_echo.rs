use events_core::{HandlerFn, after_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

/// The mistake is told once, although the handler is named elsewhere.
#[after_commit(attempts = 0)]
async fn issue_ticket(event: OrderPaid) {
    let _ = event.order_id;
}

fn is_handler<H: HandlerFn>() {}

fn main() {
    is_handler::<issue_ticket>();
}
