use events_core::{DomainEvent, domain_event};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct Plain {}

#[domain_event(topic = "order-2.paid_late", version = 3, key = order_id, to = "nats", delay = "5s")]
#[derive(Serialize, Deserialize)]
pub struct Full {
    order_id: i64,
}

#[domain_event(topic = "cart.viewed", local, key = r#type,)]
#[derive(Serialize, Deserialize)]
pub(crate) struct Local {
    r#type: String,
}

fn main() {
    assert_eq!((Plain::TOPIC, Plain::VERSION, Plain::LOCAL, Plain::TO), ("order.paid", 1, false, None));
    assert_eq!((Plain::DELAY, Plain {}.key()), (None, None));
    assert_eq!((Full::VERSION, Full::TO, Full::DELAY), (3, Some("nats"), Some(Duration::from_secs(5))));
    assert_eq!(Full { order_id: 7 }.key().as_deref(), Some("7"));
    assert!(Local::LOCAL);
    assert_eq!(Local { r#type: "book".to_owned() }.key().as_deref(), Some("book"));
}
