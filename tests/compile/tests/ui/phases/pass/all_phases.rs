use events_core::{
    Completion, HandlerFn, Metadata, State, UnitOfWorkArg, after_commit, after_completion, after_rollback, before_commit, domain_event,
};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

struct UnitOfWork;
impl UnitOfWorkArg for UnitOfWork {}

#[before_commit]
async fn check(event: &OrderPaid) -> Result<(), String> {
    if event.order_id == 0 { Err("no order".to_owned()) } else { Ok(()) }
}

#[before_commit(name = "write_ledger", manual)]
async fn write(OrderPaid { order_id }: &OrderPaid, State(ledger): State<String>, uow: &mut UnitOfWork) {
    let _ = (order_id, ledger, uow);
}

#[after_commit]
async fn notify(event: OrderPaid) {
    let _ = event.order_id;
}

#[after_rollback(name = "undo")]
async fn forget(event: OrderPaid, metadata: Metadata) {
    let _ = (event.order_id, metadata);
}

#[after_completion(manual)]
async fn audit(event: OrderPaid, completion: Completion) -> Result<(), std::fmt::Error> {
    println!("{} {completion:?}", event.order_id);
    Ok(())
}

fn is_handler<H: HandlerFn>() {}

fn main() {
    is_handler::<check>();
    is_handler::<write>();
    is_handler::<notify>();
    is_handler::<forget>();
    is_handler::<audit>();
}
