//! The facts of the shop. `key = order_id` keeps the facts of one order in order on their way to each target, `key = name` those of a user.
//!
//! Facts that only the shop needs are `local`; a payment and a shipment also go to the broker, for the ticketing service.

use events_core::domain_event;
use serde::{Deserialize, Serialize};

/// A customer placed an order.
#[domain_event(topic = "order.placed", key = order_id, local)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: i64,
    pub(crate) customer: String,
    pub(crate) lines: usize,
    pub(crate) total_cents: i64,
}

/// The bank has the customer's money.
#[domain_event(topic = "order.payok", key = order_id)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrderPaid {
    pub(crate) order_id: i64,
    /// Names this attempt to pay; another attempt has another reference.
    pub(crate) payment: String,
    pub(crate) amount_cents: i64,
}

/// A paid order has its ticket.
#[domain_event(topic = "ticket.issued", key = order_id, local)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TicketIssued {
    pub(crate) order_id: i64,
    pub(crate) ticket_no: i64,
}

/// The goods left the house.
#[domain_event(topic = "order.shipped", key = order_id)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrderShipped {
    pub(crate) order_id: i64,
    pub(crate) city: String,
    pub(crate) country: String,
}

/// An order was called off before it was paid.
#[domain_event(topic = "order.cancelled", key = order_id, local)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OrderCancelled {
    pub(crate) order_id: i64,
    pub(crate) reason: String,
}

/// Somebody has registered; they are sent a code.
#[domain_event(topic = "user.registered", key = name, local)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UserRegistered {
    pub(crate) name: String,
}

/// Somebody has given too many wrong passwords for a user.
#[domain_event(topic = "user.locked", key = name, local)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UserLocked {
    pub(crate) name: String,
}
