use events_core::domain_event;

#[domain_event(topic = "order.paid", key = order_id)]
union OrderPaid {
    order_id: i64,
    number: u32,
}

fn main() {}
