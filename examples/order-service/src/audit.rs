//! Compares what was committed with what arrived. Reads the business tables and what each target has written down; asks the outbox
//! nothing but whether it is empty.

use crate::{
    arguments::ShopArguments,
    events::{OrderCancelled, OrderPaid, OrderPlaced, OrderShipped, TicketIssued},
    northwind::PastOrder,
    orders,
    shop::Shop,
    status::Status,
};
use events_core::{DomainEvent, Stats};
use sqlx::{FromRow, Row, sqlite::SqliteRow};
use std::{
    collections::{HashMap, HashSet},
    sync::atomic::Ordering::Relaxed,
};

pub(crate) const TOPICS: [&str; 5] = [OrderPlaced::TOPIC, OrderPaid::TOPIC, TicketIssued::TOPIC, OrderShipped::TOPIC, OrderCancelled::TOPIC];

/// Somebody who receives events, and writes down which.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) topics: &'static [&'static str],
    /// Whether its handler runs in a unit of work of its own, so that nothing can arrive twice.
    pub(crate) exactly_once: bool,
}

pub(crate) const TARGETS: [Target; 4] = [
    Target { name: "issue_ticket", topics: &[OrderPaid::TOPIC], exactly_once: true },
    Target { name: "send_receipt", topics: &[OrderPaid::TOPIC], exactly_once: false },
    Target { name: "timeline", topics: &TOPICS, exactly_once: true },
    Target { name: "ticketing", topics: &[OrderPaid::TOPIC, OrderShipped::TOPIC], exactly_once: false },
];

/// Something that was committed. It must have been published, once.
struct Fact {
    topic: String,
    order_id: i64,
    payment: Option<String>,
}

/// An event that reached a target, however often it did.
pub(crate) struct Arrival {
    pub(crate) target: String,
    topic: String,
    order_id: i64,
    event_id: String,
    payment: Option<String>,
    deliveries: u64,
    pub(crate) occurred_at: i64,
    pub(crate) received_at: i64,
}

/// What must be true, and where it is not.
pub(crate) struct Check {
    pub(crate) claim: &'static str,
    pub(crate) violations: Vec<String>,
}

/// What the audit found.
pub(crate) struct Audit {
    pub(crate) orders: u64,
    /// Committed and completely delivered events, in the order of [`TOPICS`].
    pub(crate) topics: Vec<(u64, u64)>,
    /// First deliveries and duplicates, in the order of [`TARGETS`].
    pub(crate) targets: Vec<(u64, u64)>,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) lost: u64,
    pub(crate) dead: u64,
    pub(crate) checks: Vec<Check>,
}

/// What the books say when the replay is over.
struct Books {
    facts: Vec<Fact>,
    arrivals: Vec<Arrival>,
    declined: HashSet<String>,
}

/// Why something may have arrived twice.
pub(crate) struct Excuses {
    /// The database existed before; an earlier process may have been killed.
    pub(crate) continued: bool,
    pub(crate) lost_acks: u64,
    pub(crate) lost_leases: u64,
}

impl Excuses {
    pub(crate) fn new(shop: &Shop, stats: &Stats, continued: bool) -> Self {
        Self { continued, lost_acks: shop.broker.lost_acks.load(Relaxed), lost_leases: stats.lease_lost }
    }
}
