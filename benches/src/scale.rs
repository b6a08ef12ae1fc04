//! How much each case does.

use std::time::Duration;

/// Sizes of all cases.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// How often each side is measured; many short rounds are steadier than few long ones where other programs run.
    pub(crate) rounds: u32,
    /// How many tasks publish at once.
    pub(crate) tasks: Vec<usize>,
    /// How long one side publishes in one round.
    pub(crate) time: Duration,
    /// Waiting events of `drain`.
    pub(crate) waiting: u64,
    /// Waiting events of `relays`; every number of processes drains them anew.
    pub(crate) shared: u64,
    /// Waiting events of `growth`.
    pub(crate) growth: Vec<u64>,
    /// How many relays drain together.
    pub(crate) relays: Vec<usize>,
    /// Events of `overflow`.
    pub(crate) overflow: u64,
    /// How long `latency` publishes.
    pub(crate) latency: Duration,
    /// How long `snapshot` holds its snapshot.
    pub(crate) snapshot: Duration,
    /// How many deliveries were delivered under that snapshot before; a short one would leave nothing to stumble over.
    pub(crate) remains: u64,
    /// How long leases last in `recovery`.
    pub(crate) lease: Duration,
    /// How often `recovery` kills.
    pub(crate) kills: u32,
}

impl Scale {
    pub(crate) fn full() -> Self {
        Self {
            rounds: 7,
            tasks: vec![1, 8, 32],
            time: Duration::from_secs(3),
            waiting: 1_000_000,
            shared: 200_000,
            growth: vec![10_000, 1_000_000, 10_000_000],
            relays: vec![1, 2, 4, 8],
            overflow: 1_000_000,
            latency: Duration::from_secs(20),
            snapshot: Duration::from_secs(600),
            remains: 0,
            lease: Duration::from_secs(30),
            kills: 3,
        }
    }

    pub(crate) fn quick() -> Self {
        Self {
            rounds: 5,
            tasks: vec![1, 8, 32],
            time: Duration::from_millis(400),
            waiting: 20_000,
            shared: 40_000,
            growth: vec![20_000, 200_000],
            relays: vec![1, 2, 4, 8],
            overflow: 50_000,
            latency: Duration::from_secs(3),
            snapshot: Duration::from_secs(3),
            remains: 200_000,
            lease: Duration::from_secs(2),
            kills: 1,
        }
    }
}
