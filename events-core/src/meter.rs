//! What is counted, and where: each thing that happens has one method here, which adds to the [`Stats`](crate::Stats) of this process and to
//! the metrics of its recorder.

use crate::Envelope;
use crate::instrument::{Counter, Gauge, Histogram, PublishedAt, Stopwatch};
use crate::lane::Source;
use crate::metric;
use crate::stats::{Counters, count};
use crate::store::{DeadReason, Outcome};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// What is counted of an outbox as a whole.
pub(crate) struct Meter {
    counters: Arc<Counters>,
    store_errors: Counter,
    confirmed: Counter,
    unconfirmed: Counter,
    checked: Counter,
    commit: Histogram,
    settle: Histogram,
    published: HashMap<&'static str, Counter, RandomState>,
}

impl Meter {
    pub(crate) fn of(outbox: &str, topics: impl Iterator<Item = &'static str>, counters: Arc<Counters>) -> Self {
        let of_topic = |topic| (topic, Counter::of(&metric::PUBLISHED, &[outbox, topic]));
        Self {
            counters,
            store_errors: Counter::of(&metric::STORE_ERRORS, &[outbox]),
            confirmed: Counter::of(&metric::CONFIRMED, &[outbox]),
            unconfirmed: Counter::of(&metric::UNCONFIRMED, &[outbox]),
            checked: Counter::of(&metric::CHECKED, &[outbox]),
            commit: Histogram::of(&metric::COMMIT, &[outbox]),
            settle: Histogram::of(&metric::SETTLE, &[outbox]),
            published: topics.map(of_topic).collect(),
        }
    }

    pub(crate) fn store_error(&self) {
        count(&self.counters.store_errors, 1);
        self.store_errors.add(1);
    }

    pub(crate) fn confirmed(&self) {
        count(&self.counters.confirmed, 1);
        self.confirmed.add(1);
    }

    pub(crate) fn unconfirmed(&self) {
        count(&self.counters.unconfirmed, 1);
        self.unconfirmed.add(1);
    }

    pub(crate) fn checked(&self) {
        count(&self.counters.checked, 1);
        self.checked.add(1);
    }

    /// A unit of work has committed, with these events and so many deliveries.
    pub(crate) fn committed(&self, watch: Stopwatch, events: &Uncounted, deliveries: usize) {
        count(&self.counters.published, deliveries);
        self.commit.record(watch);
        for topic in events.topics() {
            if let Some(published) = self.published.get(topic) {
                published.add(1);
            }
        }
    }

    /// A batch of settlements was written.
    pub(crate) fn settled(&self, watch: Stopwatch) {
        self.settle.record(watch);
    }
}

/// The events of one unit of work, until they are counted; nothing without the feature.
#[derive(Default)]
pub(crate) struct Uncounted(#[cfg(feature = "metrics")] Vec<Arc<Envelope>>);

#[cfg_attr(not(feature = "metrics"), allow(clippy::unused_self, unused_variables, reason = "without the feature there is nothing to tell"))]
impl Uncounted {
    pub(crate) fn push(&mut self, envelope: &Arc<Envelope>) {
        #[cfg(feature = "metrics")]
        self.0.push(Arc::clone(envelope));
    }

    fn topics(&self) -> impl Iterator<Item = &str> {
        #[cfg(feature = "metrics")]
        return self.0.iter().map(|envelope| &*envelope.topic);
        #[cfg(not(feature = "metrics"))]
        std::iter::empty()
    }
}

/// What is counted of the calls of a handler, or the batches of a transport.
pub(crate) struct CallMeter {
    counters: Arc<Counters>,
    panics: Counter,
    seconds: Histogram,
}

impl CallMeter {
    pub(crate) fn of(outbox: &str, target: &str, counters: Arc<Counters>) -> Self {
        Self {
            counters,
            panics: Counter::of(&metric::HANDLER_PANICS, &[outbox, target]),
            seconds: Histogram::of(&metric::HANDLER, &[outbox, target]),
        }
    }

    pub(crate) fn panicked(&self) {
        count(&self.counters.handler_panics, 1);
        self.panics.add(1);
    }

    pub(crate) fn took(&self, watch: Stopwatch) {
        self.seconds.record(watch);
    }
}

/// What is counted of the deliveries to a target.
pub(crate) struct TargetMeter {
    pub(crate) calls: CallMeter,
    counters: Arc<Counters>,
    from_memory: Counter,
    by_scanner: Counter,
    retried: Counter,
    dead: [(DeadReason, Counter); DeadReason::ALL.len()],
    lease_lost: Counter,
    handed_back: Counter,
    overflowed: Counter,
    pauses: Counter,
    paused: Gauge,
    in_flight: Gauge,
    latency: Histogram,
}

impl TargetMeter {
    pub(crate) fn of(outbox: &str, target: &str, counters: &Arc<Counters>) -> Self {
        let labels = [outbox, target];
        let counter = |metric| Counter::of(metric, &labels);
        let paused = Gauge::of(&metric::TARGET_PAUSED, &labels);
        paused.set(0.0);
        Self {
            calls: CallMeter::of(outbox, target, Arc::clone(counters)),
            counters: Arc::clone(counters),
            from_memory: Counter::of(&metric::DELIVERED, &[outbox, target, "memory"]),
            by_scanner: Counter::of(&metric::DELIVERED, &[outbox, target, "scanner"]),
            retried: counter(&metric::RETRIED),
            dead: DeadReason::ALL.map(|reason| (reason, Counter::of(&metric::DEAD, &[outbox, target, reason.as_str()]))),
            lease_lost: counter(&metric::LEASE_LOST),
            handed_back: counter(&metric::HANDED_BACK),
            overflowed: counter(&metric::OVERFLOWED),
            pauses: counter(&metric::TARGET_PAUSES),
            paused,
            in_flight: Gauge::of(&metric::IN_FLIGHT, &labels),
            latency: Histogram::of(&metric::DELIVERY_LATENCY, &labels),
        }
    }

    /// What became of a delivery is written down.
    pub(crate) fn settled(&self, outcome: &Outcome, source: Source, published: Option<PublishedAt>) {
        match outcome {
            Outcome::Delivered => self.delivered(source, published),
            Outcome::Retry { .. } => {
                count(&self.counters.retried, 1);
                self.retried.add(1);
            }
            Outcome::HandBack { .. } => {
                count(&self.counters.handed_back, 1);
                self.handed_back.add(1);
            }
            Outcome::Dead { reason, .. } => {
                count(&self.counters.dead, 1);
                if let Some((_, dead)) = self.dead.iter().find(|(known, _)| known == reason) {
                    dead.add(1);
                }
            }
        }
    }

    pub(crate) fn delivered(&self, source: Source, published: Option<PublishedAt>) {
        let (total, counter) = match source {
            Source::Memory => (&self.counters.delivered_from_memory, &self.from_memory),
            Source::Scanner => (&self.counters.delivered_by_scanner, &self.by_scanner),
        };
        count(total, 1);
        counter.add(1);
        if let Some(published) = published {
            self.latency.record_since(published);
        }
    }

    pub(crate) fn lease_lost(&self) {
        count(&self.counters.lease_lost, 1);
        self.lease_lost.add(1);
    }

    pub(crate) fn overflowed(&self) {
        count(&self.counters.overflowed, 1);
        self.overflowed.add(1);
    }

    pub(crate) fn paused(&self) {
        count(&self.counters.paused, 1);
        self.pauses.add(1);
        self.paused.set(1.0);
    }

    pub(crate) fn resumed(&self) {
        self.paused.set(0.0);
    }

    /// A delivery has room in memory now.
    pub(crate) fn entered(&self) {
        self.in_flight.up();
    }

    /// A delivery has given its room back.
    pub(crate) fn left(&self) {
        self.in_flight.down();
    }
}

/// What is counted of what a group receives.
pub(crate) struct GroupMeter {
    counters: Arc<Counters>,
    received: Counter,
    duplicates: Counter,
}

impl GroupMeter {
    pub(crate) fn of(outbox: &str, group: &str, counters: Arc<Counters>) -> Self {
        Self {
            counters,
            received: Counter::of(&metric::RECEIVED, &[outbox, group]),
            duplicates: Counter::of(&metric::DUPLICATES, &[outbox, group]),
        }
    }

    pub(crate) fn received(&self) {
        count(&self.counters.received, 1);
        self.received.add(1);
    }

    pub(crate) fn duplicate(&self) {
        count(&self.counters.duplicates, 1);
        self.duplicates.add(1);
    }
}
