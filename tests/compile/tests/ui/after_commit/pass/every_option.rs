use events_core::{Backoff, DeadLetterPolicy, HandlerFn, Metadata, Phase, State, UnitOfWorkArg, after_commit, domain_event};
use serde::{Deserialize, Serialize};
use std::{error::Error, sync::Arc, time::Duration};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[derive(Clone)]
struct TicketDesk;

struct UnitOfWork;
impl UnitOfWorkArg for UnitOfWork {}

#[after_commit]
async fn issue_ticket(_: OrderPaid) {}

#[after_commit(
    name = "ticketing.print",
    renamed_from = "print",
    renamed_from = ["print_ticket", "ticket-printer"],
    attempts = 5,
    backoff = "1s..10m",
    timeout = "30s",
    concurrency = 8,
    dead_letters = "block_key",
    idempotent,
    manual,
)]
pub async fn print_ticket(
    OrderPaid { order_id }: OrderPaid,
    State(_desk): State<TicketDesk>,
    metadata: Metadata,
) -> Result<(), std::io::Error> {
    println!("{order_id} {metadata:?}");
    Ok(())
}

#[after_commit(backoff = "30s")]
pub(crate) async fn book(mut event: OrderPaid, uow: &mut UnitOfWork, _: Metadata) -> Result<(), Box<dyn Error + Send + Sync>> {
    event.order_id += 1;
    let _ = (event.order_id, uow);
    Ok(())
}

#[after_commit(backoff = "1s, 5s, 30s", dead_letters = "continue")]
async fn call_back(_: OrderPaid, State(call): State<Arc<dyn Fn(&str) -> String + Send + Sync>>) -> Result<(), String> {
    let _ = call("order");
    Ok(())
}

#[after_commit(at_most_once, dead_letters = "block_key", timeout = "1s")]
async fn ring(_: OrderPaid) {}

#[after_commit]
async fn r#match(_: OrderPaid, _: State<&'static str>, _: State<(TicketDesk, u8)>) -> Result<(), events_core::DeliveryError> {
    Err(events_core::DeliveryError::terminal("no"))
}

mod elsewhere {
    #[events_core::after_commit]
    pub async fn issue_receipt(_: super::OrderPaid) -> anyhow::Result<()> {
        Ok(())
    }
}

fn is_handler<H: HandlerFn>() {}

fn main() {
    use elsewhere::issue_receipt;
    is_handler::<issue_ticket>();
    is_handler::<print_ticket>();
    is_handler::<book>();
    is_handler::<call_back>();
    is_handler::<r#match>();
    is_handler::<issue_receipt>();
    is_handler::<ring>();
    // The function stays a function.
    drop(issue_ticket(OrderPaid { order_id: 1 }));

    let plain = <issue_ticket as HandlerFn>::DESCRIPTOR;
    assert_eq!((plain.name, plain.phase, plain.event.topic), ("issue_ticket", Phase::AfterCommit, "order.paid"));
    assert_eq!((plain.options.attempts, plain.options.backoff, plain.options.dead_letters), (None, None, None));

    let print = <print_ticket as HandlerFn>::DESCRIPTOR;
    assert_eq!((print.name, print.renamed_from), ("ticketing.print", &["print", "print_ticket", "ticket-printer"][..]));
    assert_eq!((print.options.attempts, print.options.concurrency), (Some(5), Some(8)));
    assert_eq!(print.options.dead_letters, Some(DeadLetterPolicy::BlockKey));
    assert_eq!(<call_back as HandlerFn>::DESCRIPTOR.options.dead_letters, Some(DeadLetterPolicy::Continue));
    assert_eq!(print.options.timeout, Some(Duration::from_secs(30)));
    let doubling = Backoff::Exponential { first: Duration::from_secs(1), max: Duration::from_secs(600) };
    assert_eq!(print.options.backoff, Some(&doubling));

    const SCHEDULE: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
    assert_eq!(<call_back as HandlerFn>::DESCRIPTOR.options.backoff, Some(&Backoff::Schedule(SCHEDULE)));
    assert_eq!(<book as HandlerFn>::DESCRIPTOR.options.backoff, Some(&Backoff::Fixed(Duration::from_secs(30))));
    assert_eq!(<r#match as HandlerFn>::DESCRIPTOR.name, "match");
}
