//! Measures several sides in turns, so that whatever else the machine does hits all of them alike.

use crate::sample::{Sample, median};

/// The samples of each side, round by round.
pub(crate) struct Rounds<S> {
    sides: Vec<S>,
    /// One list per side, in the order of `sides`.
    samples: Vec<Vec<Sample>>,
}

impl<S: Copy + PartialEq> Rounds<S> {
    /// Measures all `sides` once per round; every other round in the opposite order.
    pub(crate) async fn measure(rounds: u32, sides: &[S], mut run: impl AsyncFnMut(S) -> anyhow::Result<Sample>) -> anyhow::Result<Self> {
        let mut samples = vec![Vec::new(); sides.len()];
        for round in 0..rounds {
            let mut order: Vec<usize> = (0..sides.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for side in order {
                samples[side].push(run(sides[side]).await?);
            }
        }
        Ok(Self { sides: sides.to_vec(), samples })
    }

    /// All samples of one side.
    pub(crate) fn of(&self, side: S) -> &[Sample] {
        self.sides.iter().position(|other| *other == side).map_or(&[], |index| &self.samples[index])
    }

    /// The median of one figure of one side.
    pub(crate) fn median(&self, side: S, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.of(side).iter().map(figure))
    }

    /// The median of the ratios within each round: a slow minute of the machine slows both sides of a ratio.
    pub(crate) fn ratio(&self, side: S, floor: S, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.of(side).iter().zip(self.of(floor)).map(|(ours, floor)| figure(ours) / figure(floor)))
    }
}
