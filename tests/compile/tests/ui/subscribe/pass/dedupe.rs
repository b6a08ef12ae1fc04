use events_core::{domain_event, subscribe};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.payok")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
    payer: Payer,
}

#[derive(Serialize, Deserialize)]
struct Payer {
    name: String,
}

impl OrderPaid {
    fn number(&self) -> String {
        format!("{}/{}", self.payer.name, self.order_id)
    }
}

#[subscribe(group = "ticketing", dedupe = order_id)]
async fn by_field(event: OrderPaid) {
    let _ = event;
}

#[subscribe(group = "ticketing", dedupe = payer.name)]
async fn by_field_of_a_field(event: OrderPaid) {
    let _ = event;
}

#[subscribe(group = "ticketing", dedupe = number())]
async fn by_method(event: OrderPaid) {
    let _ = event;
}

fn main() {}
