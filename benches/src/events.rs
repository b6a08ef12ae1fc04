//! What is published and who takes it.

use events_core::{State, after_commit, domain_event};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// An order was placed: the usual event, about 100 bytes.
#[domain_event(topic = "bench.placed", local)]
#[derive(Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) order_id: u64,
    pub(crate) customer_id: u64,
    pub(crate) amount_cents: i64,
    pub(crate) note: String,
}

/// The same in order, per customer.
#[domain_event(topic = "bench.placed_in_order", key = customer_id, local)]
#[derive(Serialize, Deserialize)]
pub(crate) struct PlacedInOrder {
    pub(crate) order_id: u64,
    pub(crate) customer_id: u64,
    pub(crate) amount_cents: i64,
    pub(crate) note: String,
}

/// About 200 bytes for a slow handler.
#[domain_event(topic = "bench.bulky", local)]
#[derive(Serialize, Deserialize)]
pub(crate) struct Bulky {
    pub(crate) number: u64,
    pub(crate) text: String,
}

/// Counts on its handler being called soon.
#[domain_event(topic = "bench.urgent", local)]
#[derive(Serialize, Deserialize)]
pub(crate) struct Urgent {
    pub(crate) number: usize,
}

const NOTE: &str = "leave it with the neighbours";

impl Placed {
    pub(crate) fn number(number: u64) -> Self {
        Self { order_id: number, customer_id: customer(number), amount_cents: amount(number), note: NOTE.into() }
    }
}

impl PlacedInOrder {
    pub(crate) fn number(number: u64) -> Self {
        Self { order_id: number, customer_id: customer(number), amount_cents: amount(number), note: NOTE.into() }
    }
}

impl Bulky {
    pub(crate) fn number(number: u64) -> Self {
        Self { number, text: "0123456789abcdef".repeat(11) }
    }
}

/// Orders of 1,000 customers in turns.
fn customer(number: u64) -> u64 {
    number % 1_000
}

fn amount(number: u64) -> i64 {
    i64::try_from(number % 10_000).unwrap_or(0) + 99
}

#[after_commit(manual)]
pub(crate) async fn ignore(_event: Placed) {}

#[after_commit(manual)]
pub(crate) async fn ignore_in_order(_event: PlacedInOrder) {}

#[after_commit(manual, concurrency = 4)]
pub(crate) async fn dawdle(_event: Bulky) {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[after_commit(manual)]
pub(crate) async fn note_arrival(event: Urgent, State(arrivals): State<Arrivals>) {
    arrivals.note(event.number);
}

/// When each event arrived.
#[derive(Clone)]
pub(crate) struct Arrivals(Arc<[OnceLock<Instant>]>);

impl Arrivals {
    pub(crate) fn of(count: usize) -> Self {
        Self((0..count).map(|_| OnceLock::new()).collect())
    }

    fn note(&self, number: usize) {
        if let Some(place) = self.0.get(number) {
            // A redelivery is no arrival.
            let _ = place.set(Instant::now());
        }
    }

    pub(crate) fn get(&self, number: usize) -> Option<Instant> {
        self.0.get(number).and_then(|place| place.get().copied())
    }
}
