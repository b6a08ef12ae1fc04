//! Other libraries, measured by a program of their own that speaks the language of [`Child`], in turns with the
//! rest and in the same database.

use crate::child::Child;
use crate::database::Database;
use crate::load::Load;
use crate::sample::{Latencies, Sample};
use crate::system::{System, SystemName};
use crate::variant::Variant;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Libraries, each with the program that knows it.
#[derive(Debug, Default)]
pub(crate) struct Peers(Vec<(&'static str, PathBuf)>);

/// What a peer's program is asked to do.
#[derive(Debug, Serialize, Deserialize)]
struct Wanted<'a> {
    peer: &'a str,
    url: &'a str,
    tasks: usize,
    /// Whether the events are delivered and settled, or only stored.
    delivered: bool,
    millis: u128,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    events: u64,
    took_us: u64,
    cpu_us: Option<u64>,
    peak_mb: Option<f64>,
    /// Each latency of a unit of work in microseconds, with how often there was one.
    latencies: Vec<(u64, u64)>,
}

impl Peers {
    /// Asks the programs which libraries they know.
    pub(crate) async fn of(programs: &[PathBuf]) -> anyhow::Result<Self> {
        let mut peers = Vec::new();
        for program in programs {
            let names = tokio::process::Command::new(program).arg("list").output().await;
            let names = names.with_context(|| format!("{} cannot be started", program.display()))?;
            ensure!(names.status.success(), "{} does not say which libraries it knows", program.display());
            // They live as long as the program.
            peers.extend(String::from_utf8(names.stdout)?.lines().map(|name| (&*name.to_owned().leak(), program.clone())));
        }
        Ok(Self(peers))
    }

    /// Sides of a comparison, where these libraries have them.
    pub(crate) fn sides<S: System>(&self, load: &Load) -> impl Iterator<Item = Variant> {
        let there = S::LABEL == SystemName::Postgres && load.unit.events == 1;
        self.0.iter().filter(move |_| there).map(|(name, _)| Variant::Peer(name))
    }

    pub(crate) async fn measure<S: System>(&self, peer: &'static str, database: &Database<S>, load: &Load) -> anyhow::Result<Sample> {
        let wanted = Wanted { peer, url: &database.url, tasks: load.tasks, delivered: load.unit.delivered, millis: load.time.as_millis() };
        let program = self.0.iter().find(|(name, _)| *name == peer).map(|(_, program)| program);
        let mut child = Child::start(program.context("nobody knows this library")?, "run", &wanted)?;
        child.ready().await?;
        let meter = database.meter().await?;
        child.go().await?;
        while child.progress() == 0 && !child.is_over() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut cost = meter.stop(database).await?;
        let answer: Answer = child.stop().await?;
        let mut latencies = Latencies::none()?;
        answer.latencies.iter().for_each(|(micros, times)| latencies.note_micros(*micros, *times));
        (cost.cpu, cost.peak_mb) = (answer.cpu_us.map(Duration::from_micros), answer.peak_mb);
        Ok(Sample { events: answer.events, took: Duration::from_micros(answer.took_us), cost, latencies })
    }
}
