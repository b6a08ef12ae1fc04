//! The names of all metrics, with what they mean: one table that documentation, descriptions and dashboards are held against.

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What may be done with it.
    pub kind: Kind,
    /// What it counts in.
    pub unit: Unit,
    /// Its labels. None of them holds a key or an id, so their number is bounded.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
}

/// What may be done with a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It only grows; take its rate.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts values by size; ask it for quantiles.
    Histogram,
}

impl Kind {
    /// Its name as Prometheus has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a metric counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
}

/// Buckets in seconds that suit all histograms: from a handler that only writes to memory to a delivery that waited for an outage to end.
///
/// ```text
/// PrometheusBuilder::new().set_buckets_for_metric(Matcher::Prefix("outbox_".into()), events_core::metric::BUCKETS)
/// ```
pub const BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];

macro_rules! metrics {
    ($($name:ident = $text:literal, $kind:ident in $unit:ident by [$($label:literal),*]: $help:literal;)+) => {
        $(
            #[doc = concat!("`", $text, "`: ", $help)]
            pub const $name: Metric =
                Metric { name: $text, kind: Kind::$kind, unit: Unit::$unit, labels: &[$($label),*], help: $help };
        )+

        /// All metrics.
        pub const ALL: &[Metric] = &[$($name),+];
    };
}

metrics! {
    PUBLISHED = "outbox_published_total", Counter in Count by ["outbox", "topic"]:
        "Events whose unit of work has committed.";
    COMMIT = "outbox_commit_seconds", Histogram in Seconds by ["outbox"]:
        "How long units of work took from the planning of their deliveries until COMMIT was confirmed.";
    OVERFLOWED = "outbox_overflowed_total", Counter in Count by ["outbox", "target"]:
        "Deliveries that were left to the scanner because memory had no room for them.";

    DELIVERED = "outbox_delivered_total", Counter in Count by ["outbox", "target", "source"]:
        "Deliveries that succeeded, handed over from memory or leased by the scanner.";
    RETRIED = "outbox_retried_total", Counter in Count by ["outbox", "target"]:
        "Failed attempts that will be retried.";
    DEAD = "outbox_dead_total", Counter in Count by ["outbox", "target", "reason"]:
        "Deliveries that went to the dead letters.";
    LEASE_LOST = "outbox_lease_lost_total", Counter in Count by ["outbox", "target"]:
        "Deliveries whose lease was lost before they were settled; another process delivers them, perhaps again.";
    HANDED_BACK = "outbox_handed_back_total", Counter in Count by ["outbox", "target"]:
        "Deliveries given back without an attempt, because their target was away or the process shut down.";
    TARGET_PAUSES = "outbox_target_pauses_total", Counter in Count by ["outbox", "target"]:
        "How often a target was paused because it was unavailable.";
    TARGET_PAUSED = "outbox_target_paused", Gauge in Count by ["outbox", "target"]:
        "Whether a target is paused because it was unavailable: 1 or 0.";
    IN_FLIGHT = "outbox_in_flight", Gauge in Count by ["outbox", "target"]:
        "Deliveries in the memory of this process: reserved, waiting, running or being settled.";
    HANDLER = "outbox_handler_seconds", Histogram in Seconds by ["outbox", "target"]:
        "How long one call of a handler took, or one batch of a transport.";
    HANDLER_PANICS = "outbox_handler_panics_total", Counter in Count by ["outbox", "target"]:
        "Calls that panicked; each is a failed attempt.";
    DELIVERY_LATENCY = "outbox_delivery_latency_seconds", Histogram in Seconds by ["outbox", "target"]:
        "How long after its event was published a delivery that succeeded was settled; a delay counts.";
    SETTLE = "outbox_settle_seconds", Histogram in Seconds by ["outbox"]:
        "How long it took to write one batch of settlements, repetitions included.";

    RECEIVED = "outbox_received_total", Counter in Count by ["outbox", "group"]:
        "Events from brokers that a subscribed handler has handled.";
    DUPLICATES = "outbox_duplicates_total", Counter in Count by ["outbox", "group"]:
        "Events from brokers that had been handled before; their handler was not called.";

    CONFIRMED = "outbox_two_phase_confirmed_total", Counter in Count by ["outbox"]:
        "Transactions whose events were shown by a broker of a two-phase transport as soon as it was told.";
    UNCONFIRMED = "outbox_two_phase_unconfirmed_total", Counter in Count by ["outbox"]:
        "Transactions of which a broker could not be told how they ended; it asks.";
    CHECKED = "outbox_two_phase_checked_total", Counter in Count by ["outbox"]:
        "Questions of brokers about transactions that this process answered.";

    LOOP_LAST_SUCCESS = "outbox_loop_last_success_timestamp_seconds", Gauge in Seconds by ["outbox", "loop"]:
        "When a background loop last did its work without an error, in seconds after the Unix epoch.";
    LOOP_FAILURES = "outbox_loop_failures_total", Counter in Count by ["outbox", "loop"]:
        "How often a background loop failed; it goes on.";
    LOOP_RESTARTS = "outbox_loop_restarts_total", Counter in Count by ["outbox", "loop"]:
        "How often a background loop panicked and was started again.";
    STORE_ERRORS = "outbox_store_errors_total", Counter in Count by ["outbox"]:
        "Failed database calls of the background loops; they are repeated.";

    BACKLOG = "outbox_backlog", Gauge in Count by ["outbox", "target", "state"]:
        "Deliveries that are not settled: due, leased, due later, or waiting for their key. Set by `outbox relay` and `outbox serve`.";
    OLDEST_AGE = "outbox_oldest_age_seconds", Gauge in Seconds by ["outbox", "target"]:
        "How long the oldest delivery that could be delivered has been waiting. Set by `outbox relay` and `outbox serve`.";
    DEAD_LETTERS = "outbox_dead_letters", Gauge in Count by ["outbox", "target"]:
        "Dead letters that nobody has redriven or discarded yet. Set by `outbox relay` and `outbox serve`.";
    BLOCKED_KEYS = "outbox_blocked_keys", Gauge in Count by ["outbox"]:
        "Keys whose deliveries wait behind a dead letter. Set by `outbox relay` and `outbox serve`.";
    ORPHANED = "outbox_orphaned", Gauge in Count by ["outbox", "target"]:
        "Deliveries for a target that no running process has. Set by `outbox relay` and `outbox serve`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for Metric { name, kind, unit, labels, help } in ALL {
            assert!(name.starts_with("outbox_") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), *unit == Unit::Seconds, "{name}");
            assert!(!["_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end)), "{name} looks like a part of a histogram");
            assert_eq!(labels.first(), Some(&"outbox"), "{name}");
            assert!(help.ends_with('.'), "{name}");
        }
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
