//! Counts what happened, and when each background loop last succeeded.

use crate::instrument::{Counter, Gauge};
use crate::metric;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use time::OffsetDateTime;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// What happened since the outbox was started in this process.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct Stats { $($(#[$doc])* pub $name: u64,)+ }

        #[derive(Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)+ }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                Stats { $($name: self.$name.load(Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Deliveries that were stored by transactions of this process.
    published,
    /// Deliveries that were handed over from memory after COMMIT and succeeded.
    delivered_from_memory,
    /// Deliveries that the scanner leased and that succeeded.
    delivered_by_scanner,
    /// Failed attempts that will be retried.
    retried,
    /// Deliveries that went to the dead letters.
    dead,
    /// Deliveries whose lease was lost before they were settled; another process delivers them, perhaps again.
    lease_lost,
    /// Deliveries given back without an attempt, because their target was away or the process shut down.
    handed_back,
    /// Deliveries that were stored for the scanner because memory had no room for them.
    overflowed,
    /// How often a target was paused because it was unavailable.
    paused,
    /// Handlers that panicked; each is a failed attempt.
    handler_panics,
    /// Events from brokers that a `#[subscribe]` handler has handled.
    received,
    /// Events from brokers that had been handled before; their handler was not called.
    duplicates,
    /// Transactions whose events were shown by a broker of a two-phase transport as soon as it was told.
    confirmed,
    /// Transactions of which a broker could not be told how they ended; it asks.
    unconfirmed,
    /// Questions of brokers about transactions that this process answered.
    checked,
    /// Failed database calls of the background loops; they are repeated.
    store_errors,
    /// Deliveries waiting for a target that no handler or transport of this process takes, at the last look.
    orphaned,
}

pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Relaxed);
}

/// How a background loop is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoopHealth {
    /// Which loop: `scanner`, `settler`, `heartbeat`, `maintenance`, `announcer`, `reporter` or `listener`; of a subscription, its group.
    pub name: &'static str,
    /// When it last did its work without an error.
    pub last_success: Option<OffsetDateTime>,
    /// How often it failed; it goes on.
    pub failures: u64,
    /// How often it panicked and was started again.
    pub restarts: u64,
    /// Whether it leaves its work to the process that leads: maintenance always has one leader, scanners if they are exclusive.
    pub standby: bool,
}

pub(crate) struct Health {
    pub(crate) name: &'static str,
    /// Milliseconds after the Unix epoch; 0 for never.
    last_success: AtomicI64,
    failures: AtomicU64,
    restarts: AtomicU64,
    standby: AtomicBool,
    meter: OnceLock<LoopMeter>,
}

/// The metrics of a loop that runs. Others have none: a loop that never runs would look like one that never succeeds.
struct LoopMeter {
    last_success: Gauge,
    failures: Counter,
    restarts: Counter,
}

impl Health {
    pub(crate) fn of(name: &'static str) -> Self {
        Self {
            name,
            last_success: AtomicI64::new(0),
            failures: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            standby: AtomicBool::new(false),
            meter: OnceLock::new(),
        }
    }

    /// The loop is started, for this outbox.
    pub(crate) fn started(&self, outbox: &str) {
        let labels = [outbox, self.name];
        self.meter.get_or_init(|| LoopMeter {
            last_success: Gauge::of(&metric::LOOP_LAST_SUCCESS, &labels),
            failures: Counter::of(&metric::LOOP_FAILURES, &labels),
            restarts: Counter::of(&metric::LOOP_RESTARTS, &labels),
        });
    }

    pub(crate) fn succeeded(&self) {
        let millis = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let millis = i64::try_from(millis).unwrap_or(0);
        self.last_success.store(millis, Relaxed);
        if let Some(meter) = self.meter.get() {
            meter.last_success.set(millis as f64 / 1_000.0);
        }
    }

    pub(crate) fn failed(&self) {
        count(&self.failures, 1);
        if let Some(meter) = self.meter.get() {
            meter.failures.add(1);
        }
    }

    pub(crate) fn restarted(&self) {
        count(&self.restarts, 1);
        if let Some(meter) = self.meter.get() {
            meter.restarts.add(1);
        }
    }

    pub(crate) fn stands_by(&self, standby: bool) {
        self.standby.store(standby, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> LoopHealth {
        let millis = self.last_success.load(Relaxed);
        LoopHealth {
            name: self.name,
            last_success: (millis != 0).then(|| OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()).flatten(),
            failures: self.failures.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            standby: self.standby.load(Relaxed),
        }
    }
}
