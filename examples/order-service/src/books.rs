//! Reads what was committed and what arrived: the business tables on one side, on the other what each target has written down.

use crate::{
    events::{OrderCancelled, OrderPaid, OrderPlaced, OrderShipped, TicketIssued},
    shop::Shop,
};
use events_core::DomainEvent;
use sqlx::{Row, sqlite::SqliteRow};

/// The topics in the order in which an order goes through them.
pub(crate) const TOPICS: [&str; 5] =
    [OrderPlaced::TOPIC, OrderPaid::TOPIC, TicketIssued::TOPIC, OrderShipped::TOPIC, OrderCancelled::TOPIC];

/// Somebody who receives events, and writes down which.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) topics: &'static [&'static str],
    /// Whether it works in a unit of work of its own, so that nothing can arrive twice.
    pub(crate) exactly_once: bool,
}

pub(crate) const TARGETS: [Target; 4] = [
    Target { name: "issue_ticket", topics: &[OrderPaid::TOPIC], exactly_once: true },
    Target { name: "send_receipt", topics: &[OrderPaid::TOPIC], exactly_once: false },
    Target { name: "timeline", topics: &TOPICS, exactly_once: true },
    Target { name: TICKETING, topics: &[OrderPaid::TOPIC, OrderShipped::TOPIC], exactly_once: false },
];

/// The target behind the broker.
pub(crate) const TICKETING: &str = "ticketing";

/// Something that was committed, and so must have been published, once.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) topic: String,
    pub(crate) order_id: i64,
    pub(crate) payment: Option<String>,
}

/// An event that reached a target, however often it did.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) target: String,
    pub(crate) topic: String,
    pub(crate) order_id: i64,
    pub(crate) payment: Option<String>,
    pub(crate) event_id: String,
    pub(crate) deliveries: u64,
    /// When it was published, and when it first arrived.
    pub(crate) occurred_at: i64,
    pub(crate) received_at: i64,
}

/// Both sides.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) facts: Vec<Fact>,
    /// Those of the ticketing service stand in the order in which they arrived.
    pub(crate) arrivals: Vec<Arrival>,
}

impl Books {
    pub(crate) async fn read(shop: &Shop) -> Result<Self, sqlx::Error> {
        let facts = sqlx::query(include_str!("../sql/facts.sql")).try_map(|row| Fact::read(&row)).fetch_all(&shop.pool).await?;
        let arrivals = sqlx::query(include_str!("../sql/arrivals.sql")).try_map(|row| Arrival::read(&row));
        let inbox = sqlx::query(include_str!("../sql/inbox.sql")).try_map(|row| Arrival::read(&row));
        let mut arrivals = arrivals.fetch_all(&shop.pool).await?;
        arrivals.extend(inbox.fetch_all(&shop.ticketing.pool).await?);
        Ok(Self { facts, arrivals })
    }
}

impl Fact {
    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self { topic: row.try_get("topic")?, order_id: row.try_get("order_id")?, payment: row.try_get("payment")? })
    }
}

impl Arrival {
    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            target: row.try_get("target")?,
            topic: row.try_get("topic")?,
            order_id: row.try_get("order_id")?,
            payment: row.try_get("payment")?,
            event_id: row.try_get("event_id")?,
            deliveries: row.try_get::<i64, _>("deliveries")?.unsigned_abs(),
            occurred_at: row.try_get("occurred_at")?,
            received_at: row.try_get("received_at")?,
        })
    }

    /// How often it arrived beyond the first time.
    pub(crate) fn duplicates(&self) -> u64 {
        self.deliveries.saturating_sub(1)
    }
}
