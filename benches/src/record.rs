//! The figures as JSON, for machines that compare runs.

use crate::database;
use crate::rounds::Rounds;
use crate::sample::{Latencies, Sample, median};
use serde::Serialize;
use std::path::Path;

/// One side of one case. What was not measured is null.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) case: String,
    /// `floor` or `ours`.
    pub(crate) variant: &'static str,
    pub(crate) database: &'static str,
    pub(crate) tasks: usize,
    pub(crate) events_per_s: Option<f64>,
    pub(crate) p50_us: Option<u64>,
    pub(crate) p99_us: Option<u64>,
    pub(crate) rss_mb: Option<f64>,
    pub(crate) cpu_s_per_million: Option<f64>,
    pub(crate) wal_bytes_per_event: Option<f64>,
}

impl Record {
    /// A record without figures.
    pub(crate) fn of(case: impl Into<String>, variant: &'static str, tasks: usize) -> Self {
        Self {
            case: case.into(),
            variant,
            database: database::SYSTEM,
            tasks,
            events_per_s: None,
            p50_us: None,
            p99_us: None,
            rss_mb: None,
            cpu_s_per_million: None,
            wal_bytes_per_event: None,
        }
    }

    /// With the medians of one side of several rounds, and the latencies of all of them together.
    pub(crate) fn with_rounds<S: Copy + PartialEq>(mut self, rounds: &Rounds<S>, side: S) -> anyhow::Result<Self> {
        let mut latencies = Latencies::none()?;
        for sample in rounds.of(side) {
            latencies.add(&sample.latencies)?;
        }
        self.events_per_s = Some(rounds.median(side, Sample::per_second));
        let cpu = median(rounds.of(side).iter().filter_map(Sample::cpu_seconds_per_million));
        self.cpu_s_per_million = cpu.is_finite().then_some(cpu);
        Ok(self.with_latencies(&latencies))
    }

    pub(crate) fn with_latencies(mut self, latencies: &Latencies) -> Self {
        self.p50_us = latencies.quantile(0.5);
        self.p99_us = latencies.quantile(0.99);
        self
    }
}

/// Writes all records to `file`.
pub(crate) fn write(file: &Path, records: &[Record]) -> anyhow::Result<()> {
    Ok(std::fs::write(file, serde_json::to_string_pretty(records)? + "\n")?)
}
