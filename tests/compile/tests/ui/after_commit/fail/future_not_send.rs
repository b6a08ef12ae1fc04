use events_core::{after_commit, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[after_commit]
async fn issue_ticket(event: OrderPaid) {
    let seat = std::rc::Rc::new(event.order_id);
    tokio::task::yield_now().await;
    println!("{seat}");
}

fn main() {}
