use events_core::{HandlerFn, after_commit, domain_event};
use serde::{Deserialize, Serialize};

fn is_handler<H: HandlerFn>() {}

fn main() {
    #[domain_event(topic = "order.paid")]
    #[derive(Serialize, Deserialize)]
    struct OrderPaid {
        order_id: i64,
    }

    #[after_commit]
    async fn issue_ticket(event: OrderPaid) {
        println!("{}", event.order_id);
    }

    is_handler::<issue_ticket>();
}
