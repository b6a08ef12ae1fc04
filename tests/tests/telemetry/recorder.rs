//! A recorder that remembers everything.

use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What was recorded. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Records>>);

#[derive(Default)]
struct Records {
    series: BTreeMap<Series, Record>,
    described: BTreeMap<String, (&'static str, Option<Unit>, String)>,
}

/// A metric with the values of its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
}

/// What a series has come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) kind: &'static str,
    /// The sum of a counter, the value of a gauge, the number of values of a histogram.
    pub(crate) value: f64,
    /// The largest it has ever been; of a histogram its largest value.
    pub(crate) most: f64,
}

struct Handle(Recorder, Series);

impl Recorder {
    /// All series that are there.
    pub(crate) fn all(&self) -> BTreeMap<Series, Record> {
        self.records().series.clone()
    }

    /// All series that are not 0 now, written as Prometheus would.
    pub(crate) fn not_zero(&self) -> BTreeMap<String, f64> {
        let shown = |(series, record): (Series, Record)| {
            let labels: Vec<_> = series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (format!("{}{{{}}}", series.name, labels.join(",")), record.value)
        };
        self.all().into_iter().map(shown).filter(|(_, value)| *value != 0.0).collect()
    }

    /// Kind, unit and help of a metric, as it was described.
    pub(crate) fn description(&self, name: &str) -> Option<(&'static str, Option<Unit>, String)> {
        self.records().described.get(name).cloned()
    }

    fn register(&self, kind: &'static str, key: &Key) -> Arc<Handle> {
        let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        let series = Series { name: key.name().to_owned(), labels };
        self.records().series.entry(series.clone()).or_default().kind = kind;
        Arc::new(Handle(self.clone(), series))
    }

    fn describe(&self, kind: &'static str, name: &KeyName, unit: Option<Unit>, help: SharedString) {
        self.records().described.insert(name.as_str().to_owned(), (kind, unit, help.into_owned()));
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap()
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("counter", &name, unit, help);
    }
    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("gauge", &name, unit, help);
    }
    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("histogram", &name, unit, help);
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.register("counter", key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.register("gauge", key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.register("histogram", key))
    }
}

impl Handle {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut records = self.0.records();
        let record = records.series.get_mut(&self.1).unwrap();
        record.value = change(record.value);
        record.most = record.most.max(record.value);
    }
}

impl CounterFn for Handle {
    fn increment(&self, by: u64) {
        self.change(|value| value + by as f64);
    }
    fn absolute(&self, to: u64) {
        self.change(|_| to as f64);
    }
}

impl GaugeFn for Handle {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }
    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }
    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

impl HistogramFn for Handle {
    fn record(&self, value: f64) {
        let mut records = self.0.records();
        let record = records.series.get_mut(&self.1).unwrap();
        record.value += 1.0;
        record.most = record.most.max(value);
    }
}
