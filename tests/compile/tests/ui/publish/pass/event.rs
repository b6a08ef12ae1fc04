use events_core::{domain_event, publish};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

fn main() {
    let outside = publish(OrderPaid { order_id: 1 }).expect_err("there is no unit of work");
    println!("{outside}");
}
