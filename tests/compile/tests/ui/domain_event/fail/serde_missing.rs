use events_core::domain_event;

#[domain_event(topic = "order.paid")]
struct OrderPaid {
    order_id: i64,
}

fn main() {}
