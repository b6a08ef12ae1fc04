//! The `outbox` command with events of one's own: it knows them in `outbox catalog` and `outbox schema`.
//!
//! `cargo run -p events-cli --example own-outbox -- catalog`

use events_core::{after_commit, domain_event};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// An order was paid.
#[domain_event(topic = "order.payok", key = order_id)]
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderPaid {
    /// The order.
    pub order_id: i64,
    /// How much.
    pub amount_cents: i64,
    /// By whom.
    #[event(sensitive)]
    pub card: String,
}

/// Tells the ticket desk.
#[after_commit(idempotent)]
pub async fn issue_ticket(_event: OrderPaid) {}

fn main() -> ExitCode {
    events_cli::main()
}
