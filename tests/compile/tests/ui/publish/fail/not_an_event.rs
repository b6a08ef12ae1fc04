use events_core::publish;

struct OrderPaid {
    order_id: i64,
}

fn main() {
    let _ = publish(OrderPaid { order_id: 1 });
}
