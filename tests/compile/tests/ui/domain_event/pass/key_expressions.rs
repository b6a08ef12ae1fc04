use events_core::{DomainEvent, domain_event};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    id: i64,
}

#[domain_event(topic = "order.paid", key = self.order.id)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order: Order,
}

#[domain_event(topic = "order.sent", key = format!("order-{}", self.order.id))]
#[derive(Serialize, Deserialize)]
struct OrderSent {
    order: Order,
}

#[domain_event(topic = "order.closed", key = self.group())]
#[derive(Serialize, Deserialize)]
struct OrderClosed {
    order: Order,
}

impl OrderClosed {
    fn group(&self) -> &'static str {
        if self.order.id % 2 == 0 { "even" } else { "odd" }
    }
}

#[domain_event(topic = "day.closed", key = "one queue for all")]
#[derive(Serialize, Deserialize)]
struct DayClosed {}

fn main() {
    let order = || Order { id: 7 };
    assert_eq!(OrderPaid { order: order() }.key().as_deref(), Some("7"));
    assert_eq!(OrderSent { order: order() }.key().as_deref(), Some("order-7"));
    assert_eq!(OrderClosed { order: order() }.key().as_deref(), Some("odd"));
    assert_eq!(DayClosed {}.key().as_deref(), Some("one queue for all"));
}
