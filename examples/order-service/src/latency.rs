//! How long events were on their way.

use crate::books::Books;
use hdrhistogram::Histogram;

/// From `publish` to the arrival at one target, for the events of this run. The COMMIT in between is part of it.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn of(books: &Books, target: &str, began: i64) -> anyhow::Result<Self> {
        // Three digits are kept of every value, however long an event was on its way.
        let mut histogram = Histogram::new(3)?;
        for arrival in books.arrivals.iter().filter(|arrival| arrival.target == target && arrival.occurred_at >= began) {
            histogram.record((arrival.received_at - arrival.occurred_at).max(0).unsigned_abs())?;
        }
        Ok(Self(histogram))
    }

    pub(crate) fn at(&self, quantile: f64) -> String {
        if self.0.is_empty() {
            return "-".into();
        }
        let micros = self.0.value_at_quantile(quantile);
        match micros {
            0..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
            _ => format!("{} ms", micros / 1_000),
        }
    }
}
