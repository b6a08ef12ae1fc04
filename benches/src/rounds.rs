//! Measures several sides in turns, so that whatever else the machine does hits all of them alike.

use crate::sample::{Sample, median};
use crate::variant::Variant;

/// The samples of each side, round by round.
#[derive(Default)]
pub(crate) struct Rounds(Vec<(Variant, Vec<Sample>)>);

impl Rounds {
    /// Measures all `sides` once per round; every other round in the opposite order.
    pub(crate) async fn measure(
        rounds: u32,
        sides: &[Variant],
        mut run: impl AsyncFnMut(Variant) -> anyhow::Result<Sample>,
    ) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for round in 0..rounds {
            all.add_one(round, sides, &mut run).await?;
        }
        Ok(all)
    }

    /// Measures one more round, for cases whose rounds take turns with those of others.
    pub(crate) async fn add_one(
        &mut self,
        round: u32,
        sides: &[Variant],
        mut run: impl AsyncFnMut(Variant) -> anyhow::Result<Sample>,
    ) -> anyhow::Result<()> {
        if self.0.is_empty() {
            self.0 = sides.iter().map(|side| (*side, Vec::new())).collect();
        }
        let mut order: Vec<usize> = (0..sides.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for side in order {
            let sample = run(sides[side]).await?;
            self.0[side].1.push(sample);
        }
        Ok(())
    }

    pub(crate) fn sides(&self) -> impl Iterator<Item = (Variant, &[Sample])> {
        self.0.iter().map(|(side, samples)| (*side, &**samples))
    }

    /// The median of the ratios of throughput within each round: a slow minute of the machine slows both sides of a ratio.
    pub(crate) fn ratio(&self, side: Variant, floor: Variant) -> Option<f64> {
        let of = |wanted| self.0.iter().find(|(side, _)| *side == wanted).map(|(_, samples)| samples);
        let ratio = median(of(side)?.iter().zip(of(floor)?).map(|(side, floor)| side.per_second() / floor.per_second()));
        ratio.is_finite().then_some(ratio)
    }
}

impl From<Vec<(Variant, Vec<Sample>)>> for Rounds {
    fn from(samples: Vec<(Variant, Vec<Sample>)>) -> Self {
        Self(samples)
    }
}
