//! Counters, gauges, histograms and stopwatches: those of the `metrics` crate, or nothing at all without the feature `metrics`.
//!
//! An instrument is looked up in the recorder once, when it is made; using it is an atomic addition.

use crate::Envelope;
#[cfg(not(feature = "metrics"))]
use crate::metric::Metric;

/// The values of a metric's labels, in the order of their names.
pub(crate) type Labels<'a> = &'a [&'a str];

/// A counter.
pub(crate) struct Counter(#[cfg(feature = "metrics")] ::metrics::Counter);

/// A gauge.
pub(crate) struct Gauge(#[cfg(feature = "metrics")] ::metrics::Gauge);

/// A histogram of seconds.
pub(crate) struct Histogram(#[cfg(feature = "metrics")] ::metrics::Histogram);

/// Measures how long something takes.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(#[cfg(feature = "metrics")] std::time::Instant);

/// When an event was published, until its delivery is settled.
#[derive(Clone, Copy)]
pub(crate) struct PublishedAt(#[cfg(feature = "metrics")] time::OffsetDateTime);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(
            #[cfg(feature = "metrics")]
            std::time::Instant::now(),
        )
    }
}

#[cfg_attr(not(feature = "metrics"), allow(unused_variables, reason = "without the feature there is nothing to tell"))]
impl PublishedAt {
    pub(crate) fn of(envelope: &Envelope) -> Self {
        Self(
            #[cfg(feature = "metrics")]
            envelope.occurred_at,
        )
    }
}

#[cfg(feature = "metrics")]
mod recorded {
    use super::{Counter, Gauge, Histogram, Labels, PublishedAt, Stopwatch};
    use crate::metric::{ALL, Kind, Metric, Unit};
    use metrics::{Key, Label, Level, Metadata, with_recorder};
    use time::OffsetDateTime;

    static METADATA: Metadata<'static> = Metadata::new("events_core", Level::INFO, Some("events_core"));

    fn key(metric: &Metric, kind: Kind, labels: Labels<'_>) -> Key {
        debug_assert_eq!((metric.kind, metric.labels.len()), (kind, labels.len()), "{}", metric.name);
        let labels: Vec<_> = metric.labels.iter().zip(labels).map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
        Key::from_parts(metric.name, labels)
    }

    /// Tells the recorder what all metrics mean.
    pub(crate) fn describe() {
        with_recorder(|recorder| {
            for metric in ALL {
                let unit = match metric.unit {
                    Unit::Count => metrics::Unit::Count,
                    Unit::Seconds => metrics::Unit::Seconds,
                };
                let (name, help) = (metric.name.into(), metric.help.into());
                match metric.kind {
                    Kind::Counter => recorder.describe_counter(name, Some(unit), help),
                    Kind::Gauge => recorder.describe_gauge(name, Some(unit), help),
                    Kind::Histogram => recorder.describe_histogram(name, Some(unit), help),
                }
            }
        });
    }

    impl Counter {
        pub(crate) fn of(metric: &Metric, labels: Labels<'_>) -> Self {
            Self(with_recorder(|recorder| recorder.register_counter(&key(metric, Kind::Counter, labels), &METADATA)))
        }
        pub(crate) fn add(&self, by: usize) {
            self.0.increment(by as u64);
        }
    }

    impl Gauge {
        pub(crate) fn of(metric: &Metric, labels: Labels<'_>) -> Self {
            Self(with_recorder(|recorder| recorder.register_gauge(&key(metric, Kind::Gauge, labels), &METADATA)))
        }
        pub(crate) fn set(&self, value: f64) {
            self.0.set(value);
        }
        pub(crate) fn up(&self) {
            self.0.increment(1.0);
        }
        pub(crate) fn down(&self) {
            self.0.decrement(1.0);
        }
    }

    impl Histogram {
        pub(crate) fn of(metric: &Metric, labels: Labels<'_>) -> Self {
            Self(with_recorder(|recorder| recorder.register_histogram(&key(metric, Kind::Histogram, labels), &METADATA)))
        }
        /// Records the time since the stopwatch was started.
        pub(crate) fn record(&self, watch: Stopwatch) {
            self.0.record(watch.0.elapsed());
        }
        /// Records how long ago an event was published. The clock of its publisher may be ahead of ours: that is no time, then.
        pub(crate) fn record_since(&self, published: PublishedAt) {
            self.0.record((OffsetDateTime::now_utc() - published.0).as_seconds_f64().max(0.0));
        }
    }
}

#[cfg(feature = "metrics")]
pub(crate) use recorded::describe;

#[cfg(not(feature = "metrics"))]
pub(crate) fn describe() {}

#[cfg(not(feature = "metrics"))]
impl Counter {
    pub(crate) fn of(_: &Metric, _: Labels<'_>) -> Self {
        Self()
    }
    pub(crate) fn add(&self, _: usize) {}
}

#[cfg(not(feature = "metrics"))]
impl Gauge {
    pub(crate) fn of(_: &Metric, _: Labels<'_>) -> Self {
        Self()
    }
    pub(crate) fn set(&self, _: f64) {}
    pub(crate) fn up(&self) {}
    pub(crate) fn down(&self) {}
}

#[cfg(not(feature = "metrics"))]
impl Histogram {
    pub(crate) fn of(_: &Metric, _: Labels<'_>) -> Self {
        Self()
    }
    pub(crate) fn record(&self, _: Stopwatch) {}
    pub(crate) fn record_since(&self, _: PublishedAt) {}
}
