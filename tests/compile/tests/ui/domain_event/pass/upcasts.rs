use events_core::{DomainEvent, Upcast, domain_event};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.payok", version = 2, since = 2)]
#[derive(Serialize, Deserialize)]
struct OrderPaidV2 {
    order_id: i64,
}

mod present {
    #[events_core::domain_event(topic = "order.payok", version = 3, upcasts = super::OrderPaidV2)]
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct OrderPaid {
        pub order: String,
    }
}

impl Upcast<OrderPaidV2> for present::OrderPaid {
    fn upcast(old: OrderPaidV2) -> Self {
        Self { order: old.order_id.to_string() }
    }
}

fn main() {
    assert_eq!((present::OrderPaid::OLDEST, present::OrderPaid::SINCE), (2, 2));
    assert_eq!(present::OrderPaid::decode_version(2, br#"{"order_id":7}"#).unwrap().order, "7");
}
