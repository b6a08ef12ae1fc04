//! One measurement of one side.

use crate::meter::Cost;
use hdrhistogram::Histogram;
use std::time::Duration;

/// What one round of one side took.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) events: u64,
    /// Until the last unit of work was committed, or the last event settled, as the case says.
    pub(crate) took: Duration,
    pub(crate) cost: Cost,
    pub(crate) latencies: Latencies,
}

impl Sample {
    pub(crate) fn per_second(&self) -> f64 {
        as_f64(self.events) / self.took.as_secs_f64()
    }

    /// A cost per event.
    pub(crate) fn per_event(&self, cost: Option<u64>) -> Option<f64> {
        Some(as_f64(cost?) / as_f64(self.events))
    }

    /// Seconds per million events.
    pub(crate) fn per_million(&self, cost: Option<Duration>) -> Option<f64> {
        Some(cost?.as_secs_f64() * 1e6 / as_f64(self.events))
    }
}

/// Latencies of single units of work or deliveries, in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

/// Longer than anything that is worth a place of its own.
const LONGEST_MICROS: u64 = 600_000_000;

impl Latencies {
    pub(crate) fn none() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST_MICROS, 3)?))
    }

    pub(crate) fn note(&mut self, latency: Duration) {
        self.note_micros(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), 1);
    }

    pub(crate) fn note_micros(&mut self, micros: u64, times: u64) {
        self.0.saturating_record_n(micros, times);
    }

    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// The latency that so much of all do not exceed, in microseconds.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile))
    }
}

/// The middle one; of an even number the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// Counts as they are reported; no count here comes near the 52 bits of a mantissa.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median([]).is_nan());
    }
}
