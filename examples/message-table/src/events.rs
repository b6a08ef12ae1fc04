//! What the shop and the warehouse tell each other, and what the shop tells itself.

use events_core::domain_event;
use serde::{Deserialize, Serialize};

/// An order waits to be processed. It may be told more than once, each time as another event.
#[domain_event(topic = "order.placed", key = order_no)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrderPlaced {
    pub(crate) order_no: String,
    pub(crate) quantity: i64,
}

/// The warehouse is done with an order.
#[domain_event(topic = "order.done", key = order_no)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrderDone {
    pub(crate) order_no: String,
}

/// It is time to look whether an order is done. Published with a delay, in the transaction that places the order: this is the timer.
#[domain_event(topic = "order.overdue", local)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrderOverdue {
    pub(crate) order_no: String,
}

/// An order that exists only if the broker has it. It is told by the `#[before_commit]` handler of this event, and never stored as an event.
#[domain_event(topic = "order.express", local)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ExpressPlaced {
    pub(crate) order_no: String,
    pub(crate) quantity: i64,
}
