//! How much each case does.

use std::time::Duration;

/// Sizes of all cases.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// How often each side is measured; many short rounds are steadier than few long ones where other programs run.
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
        Self { rounds: 15, units: 2_000, waiting: 200_000, overflow: 1_000_000, latency: Duration::from_secs(10) }
    }

    pub(crate) fn quick() -> Self {
        Self { rounds: 9, units: 600, waiting: 80_000, overflow: 200_000, latency: Duration::from_secs(3) }
    }
}
