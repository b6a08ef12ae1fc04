use events_core::domain_event;

#[domain_event(topic = "order.paid")]
fn order_paid() {}

fn main() {}
