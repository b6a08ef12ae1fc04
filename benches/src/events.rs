//! What is published and who takes it. The same facts for all variants.

use events_core::{DomainEvent, State, after_commit, domain_event};
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A business row, and what its event says: about 100 bytes.
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) customer_id: i64,
    pub(crate) amount_cents: i64,
    pub(crate) note: String,
}

const NOTE: &str = "leave it with the neighbours";

impl Order {
    /// Orders of 1,000 customers in turns.
    pub(crate) fn number(number: u64) -> Self {
        let small = i64::try_from(number % 1_000_000).unwrap_or(0);
        Self { number, customer_id: small % 1_000, amount_cents: small % 10_000 + 99, note: NOTE.into() }
    }
}

/// An order was placed: the usual event.
#[domain_event(topic = "bench.placed", local)]
#[derive(Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) order_id: u64,
    pub(crate) customer_id: i64,
    pub(crate) amount_cents: i64,
    pub(crate) note: String,
}

/// The same in order, per customer.
#[domain_event(topic = "bench.placed_in_order", key = customer_id, local)]
#[derive(Serialize, Deserialize)]
pub(crate) struct PlacedInOrder {
    pub(crate) order_id: u64,
    pub(crate) customer_id: i64,
    pub(crate) amount_cents: i64,
    pub(crate) note: String,
}

/// The same for five handlers.
#[domain_event(topic = "bench.placed_for_all", local)]
#[derive(Serialize, Deserialize)]
pub(crate) struct PlacedForAll {
    pub(crate) order_id: u64,
    pub(crate) customer_id: i64,
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

/// For a handler that never comes to its end.
#[domain_event(topic = "bench.endless", local)]
#[derive(Serialize, Deserialize)]
pub(crate) struct Endless {
    pub(crate) number: u64,
}

/// Which events, and so which targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Plain,
    InOrder,
    ForAll,
}

impl Kind {
    /// The names of its handlers, which are its targets.
    pub(crate) fn targets(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["ignore"],
            Self::InOrder => &["ignore_in_order"],
            Self::ForAll => &["ignore_1", "ignore_2", "ignore_3", "ignore_4", "ignore_5"],
        }
    }

    pub(crate) fn topic(self) -> &'static str {
        match self {
            Self::Plain => Placed::TOPIC,
            Self::InOrder => PlacedInOrder::TOPIC,
            Self::ForAll => PlacedForAll::TOPIC,
        }
    }
}

macro_rules! made_of_an_order {
    ($($event:ident),+) => {
        $(impl From<&Order> for $event {
            fn from(order: &Order) -> Self {
                let Order { number, customer_id, amount_cents, note } = order;
                Self { order_id: *number, customer_id: *customer_id, amount_cents: *amount_cents, note: note.clone() }
            }
        })+
    };
}
made_of_an_order!(Placed, PlacedInOrder, PlacedForAll);

impl Bulky {
    pub(crate) fn number(number: u64) -> Self {
        Self { number, text: "0123456789abcdef".repeat(11) }
    }
}

#[after_commit(manual)]
pub(crate) async fn ignore(_event: Placed) {}

#[after_commit(manual)]
pub(crate) async fn ignore_in_order(_event: PlacedInOrder) {}

#[after_commit(manual)]
pub(crate) async fn ignore_1(_event: PlacedForAll) {}
#[after_commit(manual)]
pub(crate) async fn ignore_2(_event: PlacedForAll) {}
#[after_commit(manual)]
pub(crate) async fn ignore_3(_event: PlacedForAll) {}
#[after_commit(manual)]
pub(crate) async fn ignore_4(_event: PlacedForAll) {}
#[after_commit(manual)]
pub(crate) async fn ignore_5(_event: PlacedForAll) {}

#[after_commit(manual, concurrency = 4)]
pub(crate) async fn dawdle(_event: Bulky) {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[after_commit(manual)]
pub(crate) async fn note_arrival(event: Urgent, State(arrivals): State<Arrivals>) {
    arrivals.note(event.number);
}

/// Ends at once where it is told to; else it holds its lease for as long as its process lives.
#[after_commit(manual, concurrency = 1000, timeout = "1h")]
pub(crate) async fn hold_or_note(event: Endless, State(Holding(holding)): State<Holding>, State(arrivals): State<Arrivals>) {
    if holding {
        std::future::pending::<()>().await;
    }
    arrivals.note(usize::try_from(event.number).unwrap_or(usize::MAX));
}

/// Whether [`hold_or_note`] holds.
#[derive(Clone, Copy)]
pub(crate) struct Holding(pub(crate) bool);

/// When each event arrived first, in microseconds since 1970, so that processes of one machine can compare.
#[derive(Clone, Default)]
pub(crate) struct Arrivals(Arc<Noted>);

#[derive(Default)]
struct Noted {
    /// 0 for one that did not arrive.
    at: Mutex<Vec<u64>>,
    count: AtomicU64,
}

impl Arrivals {
    fn note(&self, number: usize) {
        let now = now_micros();
        let mut at = self.0.at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.len() <= number {
            at.resize(number + 1, 0);
        }
        // A redelivery is no arrival.
        if at[number] == 0 {
            at[number] = now;
            self.0.count.fetch_add(1, Relaxed);
        }
    }

    /// How many arrived.
    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Relaxed)
    }

    /// All of them; 0 for one that did not arrive.
    pub(crate) fn all(&self) -> Vec<u64> {
        self.0.at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The clock of the machine.
pub(crate) fn now_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_micros()).ok()).unwrap_or(0)
}
