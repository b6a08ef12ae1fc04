//! Who is killed, and when.

use rand::{Rng, rngs::StdRng};
use std::time::Duration;

/// A moment at which something is killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    /// When so many orders were received, and so much later.
    pub(super) after: u64,
    pub(super) pause: Duration,
    /// Whether it hits a packer.
    pub(super) packer: bool,
    /// How long the broker is dead, if it hits the broker.
    pub(super) broker: Option<Duration>,
}

impl Strike {
    /// So many kills of packers, spread at random over all orders. To every three of them come two kills of the broker, one of which falls
    /// together with a packer's.
    pub(super) fn plan(orders: u64, kills: u64, dice: &mut StdRng) -> Vec<Self> {
        // A packer, both, a packer, the broker.
        let mut victims = Vec::new();
        let mut packers = 0;
        for turn in 0.. {
            if packers == kills {
                break;
            }
            let (packer, broker) = (turn % 4 != 3, turn % 4 == 1 || turn % 4 == 3);
            packers += u64::from(packer);
            victims.push((packer, broker));
        }
        // The last orders are left out, so that there is still something to do for those who live.
        let stretch = (orders * 9 / 10 / victims.len().max(1) as u64).max(1);
        let mut strikes = Vec::new();
        for (begin, (packer, broker)) in (0..).step_by(usize::try_from(stretch).unwrap()).zip(victims) {
            strikes.push(Self {
                after: begin + dice.random_range(0..stretch),
                pause: dice.random_range(Duration::ZERO..Duration::from_millis(20)),
                packer,
                broker: broker.then(|| dice.random_range(Duration::ZERO..Duration::from_millis(500))),
            });
        }
        strikes
    }
}
