//! What is measured beside the time: processor time and memory of this process, and what the server says about its work.

use crate::database::Database;
use crate::process::{self, Stat};
use crate::system::System;
use std::time::{Duration, Instant};

/// What a server has done so far. What a system cannot tell is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) wal_bytes: Option<u64>,
    pub(crate) transactions: Option<u64>,
    pub(crate) cpu: Option<Duration>,
}

/// What one round of one side cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Processor time of this process, and of children that worked for it.
    pub(crate) cpu: Option<Duration>,
    pub(crate) peak_mb: Option<f64>,
    pub(crate) wal_bytes: Option<u64>,
    /// Those that wrote something.
    pub(crate) transactions: Option<u64>,
    pub(crate) server_cpu: Option<Duration>,
    pub(crate) dead_rows: Option<u64>,
}

/// Measures from its start.
pub(crate) struct Meter {
    before: Reading,
    cpu: Option<Duration>,
    started: Instant,
}

impl Meter {
    pub(crate) fn start(before: Reading) -> Self {
        process::forget_peak();
        Self { before, cpu: process::cpu(), started: Instant::now() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the measurement.
    pub(crate) async fn stop<S: System>(self, database: &Database<S>) -> anyhow::Result<Cost> {
        let (cpu, peak_mb) = (difference(self.cpu, process::cpu()), process::peak_mb());
        let after = S::read(&database.control).await?;
        let less = |before: Option<u64>, after: Option<u64>| after?.checked_sub(before?);
        Ok(Cost {
            cpu,
            peak_mb,
            wal_bytes: less(self.before.wal_bytes, after.wal_bytes),
            transactions: less(self.before.transactions, after.transactions),
            server_cpu: difference(self.before.cpu, after.cpu),
            dead_rows: None,
        })
    }
}

fn difference(before: Option<Duration>, after: Option<Duration>) -> Option<Duration> {
    after?.checked_sub(before?)
}

/// Processor time of a server on this machine that is one process.
pub(crate) fn server_cpu(pid: u32) -> Option<Duration> {
    Stat::of(pid).map(|stat| stat.own)
}

/// Processor time of a server on this machine that has a process per connection, of which `child` is one. Those that are gone are
/// counted with their parent.
pub(crate) fn server_cpu_of_children(child: u32) -> Option<Duration> {
    let child = Stat::of(child)?;
    if !child.name.starts_with("postgres") {
        return None;
    }
    let parent = Stat::of(child.parent)?;
    let children = std::fs::read_dir("/proc").ok()?.filter_map(|entry| Stat::of(entry.ok()?.file_name().to_str()?.parse().ok()?));
    let alive: Duration = children.filter(|stat| stat.parent == child.parent).map(|stat| stat.own).sum();
    Some(parent.own + parent.reaped + alive)
}
