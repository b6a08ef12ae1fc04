//! How much each case does.

use std::time::Duration;

/// Sizes of all cases.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// How often each side is measured.
    pub(crate) rounds: u32,
    /// Units of work per round of `publish`.
    pub(crate) units: u64,
    /// Waiting events per round of `drain`.
    pub(crate) waiting: u64,
    /// Events of `overflow`.
    pub(crate) overflow: u64,
    /// How long `latency` publishes.
    pub(crate) latency: Duration,
}

impl Scale {
    pub(crate) fn full() -> Self {
        Self { rounds: 5, units: 8_000, waiting: 200_000, overflow: 1_000_000, latency: Duration::from_secs(10) }
    }

    pub(crate) fn quick() -> Self {
        Self { rounds: 5, units: 1_500, waiting: 40_000, overflow: 200_000, latency: Duration::from_secs(3) }
    }
}
