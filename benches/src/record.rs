//! The figures of one side of one case.

use crate::rounds::Rounds;
use crate::sample::{Latencies, Sample, median};
use crate::system::{System, SystemName};
use crate::variant::Variant;
use serde::Serialize;
use std::path::Path;

/// One side of one case. What was not measured is null.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) case: String,
    /// `bare`, `floor`, `ours`, or the crate's name of another library.
    pub(crate) variant: &'static str,
    pub(crate) database: SystemName,
    /// Tasks that publish; processes that relay in `relays`.
    pub(crate) tasks: usize,
    pub(crate) events_per_s: Option<f64>,
    /// Of the throughput, to the floor's in the same round.
    pub(crate) ratio_to_floor: Option<f64>,
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    pub(crate) p999_us: Option<u64>,
    pub(crate) rss_mb: Option<f64>,
    pub(crate) cpu_s_per_million: Option<f64>,
    pub(crate) server_cpu_s_per_million: Option<f64>,
    pub(crate) wal_bytes_per_event: Option<f64>,
    pub(crate) transactions_per_event: Option<f64>,
    pub(crate) dead_rows_per_event: Option<f64>,
}

/// The columns of all tables.
pub(crate) const HEAD: [&str; 14] = [
    "case", "variant", "tasks", "events/s", "to floor", "p50 us", "p99 us", "p99.9 us", "MB", "CPU s/M", "server", "WAL B/ev", "tx/ev",
    "dead/ev",
];
const WIDTHS: [usize; 14] = [22, 20, 5, 9, 8, 9, 9, 9, 6, 8, 8, 9, 6, 7];

impl Record {
    /// With the medians of the rounds of each side, and the latencies of all of them together.
    pub(crate) fn of_rounds<S: System>(case: &str, tasks: usize, rounds: &Rounds) -> anyhow::Result<Vec<Self>> {
        let records = rounds.sides().map(|(side, samples)| {
            let mut record = Self::of_samples::<S>(case, side, tasks, samples)?;
            record.ratio_to_floor = rounds.ratio(side, Variant::Floor);
            Ok(record)
        });
        records.collect()
    }

    pub(crate) fn of_sample<S: System>(case: &str, side: Variant, tasks: usize, sample: &Sample) -> Self {
        Self::with::<S>(case, side, tasks, std::slice::from_ref(sample), &sample.latencies)
    }

    fn of_samples<S: System>(case: &str, side: Variant, tasks: usize, samples: &[Sample]) -> anyhow::Result<Self> {
        let mut latencies = Latencies::none()?;
        for sample in samples {
            latencies.add(&sample.latencies)?;
        }
        Ok(Self::with::<S>(case, side, tasks, samples, &latencies))
    }

    fn with<S: System>(case: &str, side: Variant, tasks: usize, samples: &[Sample], latencies: &Latencies) -> Self {
        let of = |figure: &dyn Fn(&Sample) -> Option<f64>| Some(median(samples.iter().filter_map(figure))).filter(|it| it.is_finite());
        Self {
            case: case.into(),
            variant: side.name(),
            database: S::LABEL,
            tasks,
            events_per_s: of(&|sample| Some(sample.per_second())),
            ratio_to_floor: None,
            p50_us: latencies.quantile(0.5),
            p99_us: latencies.quantile(0.99),
            p999_us: latencies.quantile(0.999),
            rss_mb: samples.iter().filter_map(|sample| sample.cost.peak_mb).reduce(f64::max),
            cpu_s_per_million: of(&|sample| sample.per_million(sample.cost.cpu)),
            server_cpu_s_per_million: of(&|sample| sample.per_million(sample.cost.server_cpu)),
            wal_bytes_per_event: of(&|sample| sample.per_event(sample.cost.wal_bytes)),
            transactions_per_event: of(&|sample| sample.per_event(sample.cost.transactions)),
            dead_rows_per_event: of(&|sample| sample.per_event(sample.cost.dead_rows)),
        }
    }

    /// Processor time of this process and of the server together: what one saves by giving it to the other is no saving.
    pub(crate) fn all_cpu(&self) -> Option<f64> {
        Some(self.cpu_s_per_million? + self.server_cpu_s_per_million.unwrap_or_default())
    }

    /// The cells of a row, as text.
    pub(crate) fn cells(&self) -> [String; 14] {
        let count = |count: Option<u64>| count.map_or_else(|| "-".into(), |count| count.to_string());
        let whole = |figure: Option<f64>| figure.map_or_else(|| "-".into(), |figure| format!("{figure:.0}"));
        let fine = |figure: Option<f64>| figure.map_or_else(|| "-".into(), |figure| format!("{figure:.2}"));
        [
            self.case.clone(),
            self.variant.into(),
            self.tasks.to_string(),
            whole(self.events_per_s),
            fine(self.ratio_to_floor),
            count(self.p50_us),
            count(self.p99_us),
            count(self.p999_us),
            whole(self.rss_mb),
            whole(self.cpu_s_per_million),
            whole(self.server_cpu_s_per_million),
            whole(self.wal_bytes_per_event),
            fine(self.transactions_per_event),
            fine(self.dead_rows_per_event),
        ]
    }

    /// A line of the table on the terminal, whose later lines are not known yet.
    pub(crate) fn line(&self) -> String {
        line(&self.cells())
    }

    /// The first line of that table.
    pub(crate) fn head() -> String {
        line(&HEAD.map(str::to_owned))
    }
}

fn line(cells: &[String; 14]) -> String {
    let cells = cells.iter().zip(WIDTHS).enumerate();
    let aligned = cells.map(|(column, (cell, width))| if column < 2 { format!("{cell:width$}") } else { format!("{cell:>width$}") });
    aligned.collect::<Vec<_>>().join(" ")
}

/// Writes all records to `file`, for machines that compare runs.
pub(crate) fn write(file: &Path, records: &[Record]) -> anyhow::Result<()> {
    Ok(std::fs::write(file, serde_json::to_string_pretty(records)? + "\n")?)
}
