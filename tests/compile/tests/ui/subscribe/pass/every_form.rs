use events_core::{HandlerFn, Metadata, State, UnitOfWorkArg, domain_event, subscribe};
use serde::{Deserialize, Serialize};
use std::fmt;

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

struct UnitOfWork;
impl UnitOfWorkArg for UnitOfWork {}

#[subscribe(group = "ticketing")]
async fn issue(event: OrderPaid) {
    let _ = event.order_id;
}

#[subscribe(group = "ticketing", name = "ticketing.mail", timeout = "5s", manual)]
async fn mail(
    OrderPaid { order_id }: OrderPaid,
    uow: &mut UnitOfWork,
    State(desk): State<String>,
    metadata: Metadata,
) -> Result<(), fmt::Error> {
    let _ = (order_id, uow, desk, metadata);
    Ok(())
}

fn is_handler<H: HandlerFn>() {}

fn main() {
    is_handler::<issue>();
    is_handler::<mail>();
}
