//! What a process of the shop is told when it starts.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a process relays. It travels to child processes as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// The number of the process.
    pub keeper: i64,
    /// What its dice start from.
    pub seed: u64,
    /// How long its leases last.
    pub lease: Duration,
    /// How often its scanner looks.
    pub poll: Duration,
    /// How many keys there are.
    pub keys: i64,
    /// The share of handlers' calls that fail.
    pub failures: f64,
    /// How many connections its pool has.
    pub connections: u32,
    /// Whether the handler `track` is there.
    pub tracks: bool,
    /// Whether the handler `enter`, with a unit of work, is there.
    pub enters: bool,
    /// What it sells by itself.
    pub habits: Option<Habits>,
}

/// How a process sells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Habits {
    /// How many sell at the same time.
    pub sellers: u64,
    /// At least and at most so many events in a unit of work.
    pub events: (usize, usize),
    /// The share of events with a key.
    pub keyed: f64,
    /// The share of events with a key to which the clerk adds another.
    pub echoes: f64,
    /// The share of units of work that are rolled back by choice.
    pub rolled_back: f64,
    /// The longest pause between two units of work.
    pub pause: Duration,
    /// Nobody sells while more deliveries wait.
    pub backlog: u64,
}

impl Orders {
    /// A process that relays quickly, whose leases are short, and that sells nothing.
    #[must_use]
    pub fn of(keeper: i64, seed: u64) -> Self {
        Self {
            keeper,
            seed: seed.wrapping_mul(1_000_003).wrapping_add(keeper.unsigned_abs()),
            lease: Duration::from_secs(1),
            poll: Duration::from_millis(100),
            keys: 20,
            failures: 0.0,
            connections: 8,
            tracks: true,
            enters: true,
            habits: None,
        }
    }

    /// Sells like this.
    #[must_use]
    pub fn selling(self, habits: Habits) -> Self {
        Self { habits: Some(habits), ..self }
    }
}

impl Default for Habits {
    /// Three sell one to three events, most of them with a key; one in ten changes its mind.
    fn default() -> Self {
        Self { sellers: 3, events: (1, 3), keyed: 0.7, echoes: 0.2, rolled_back: 0.1, pause: Duration::from_millis(20), backlog: 200 }
    }
}
