//! `self` and literals keep their meaning when the annotation comes out of a `macro_rules!`.
use events_core::{DomainEvent, after_commit, domain_event};
use serde::{Deserialize, Serialize};

macro_rules! events {
    ($($name:ident, $handler:ident => $topic:literal, $version:expr, $field:ident: $ty:ty;)*) => {$(
        #[domain_event(topic = $topic, version = $version, key = $field)]
        #[derive(Serialize, Deserialize)]
        struct $name { $field: $ty }

        #[after_commit(name = $topic, manual)]
        async fn $handler(event: $name) {
            let _ = event.$field;
        }
    )*};
}

events! {
    OrderPaid, on_paid => "order.paid", 2, order_id: i64;
    OrderSent, on_sent => "order.sent", 1, parcel: String;
}

macro_rules! keyed {
    ($name:ident, $topic:literal) => {
        #[domain_event(topic = $topic, key = self.id + 1)]
        #[derive(Serialize, Deserialize)]
        struct $name {
            id: i64,
        }
    };
}

keyed!(OrderClosed, "order.closed");

fn main() {
    assert_eq!((OrderPaid::TOPIC, OrderPaid::VERSION), ("order.paid", 2));
    assert_eq!(OrderPaid { order_id: 7 }.key().as_deref(), Some("7"));
    assert_eq!(OrderSent { parcel: "p".to_owned() }.key().as_deref(), Some("p"));
    assert_eq!(OrderClosed { id: 6 }.key().as_deref(), Some("7"));
}
