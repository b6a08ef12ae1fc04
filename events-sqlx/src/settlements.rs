//! A batch of settlements, sorted by what has to be written.

use events_core::{DeadReason, Failure, Lease, Outcome, Settlement, millis_of};

/// A batch of settlements by outcome. Delays are in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Settlements<'a> {
    pub(crate) delivered: Vec<Lease>,
    pub(crate) handed_back: Vec<(Lease, i64)>,
    pub(crate) retried: Vec<(Lease, i64, &'a [Failure])>,
    pub(crate) dead: Vec<(Lease, DeadReason, &'a [Failure])>,
    /// The lines (key, target) whose head is over, sorted and each once: so all transactions lock keys in the same order.
    pub(crate) lines: Vec<(&'a str, &'a str)>,
}

impl<'a> Settlements<'a> {
    pub(crate) fn of(settlements: &'a [Settlement]) -> Self {
        let mut sorted = Self::default();
        for Settlement { lease, target, key, outcome } in settlements {
            match outcome {
                Outcome::Delivered => sorted.delivered.push(*lease),
                Outcome::HandBack { delay } => sorted.handed_back.push((*lease, millis_of(*delay))),
                Outcome::Retry { delay, failures } => sorted.retried.push((*lease, millis_of(*delay), failures)),
                Outcome::Dead { reason, failures } => sorted.dead.push((*lease, *reason, failures)),
            }
            if matches!(outcome, Outcome::Delivered | Outcome::Dead { .. }) {
                sorted.lines.extend(key.as_deref().map(|key| (key, &**target)));
            }
        }
        sorted.lines.sort_unstable();
        sorted.lines.dedup();
        sorted
    }
}
