use events_core::{Upcast, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.created")]
#[derive(Serialize, Deserialize)]
struct OrderPaidV1 {
    order_id: i64,
}

#[domain_event(topic = "order.payok", version = 2, upcasts = OrderPaidV1)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

impl Upcast<OrderPaidV1> for OrderPaid {
    fn upcast(old: OrderPaidV1) -> Self {
        Self { order_id: old.order_id }
    }
}

fn main() {}
