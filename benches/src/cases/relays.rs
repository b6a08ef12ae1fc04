//! Several processes drain one backlog together.

use crate::backlog;
use crate::cases::Bench;
use crate::child::Child;
use crate::database::Database;
use crate::record::Record;
use crate::rounds::Rounds;
use crate::sample::{Latencies, Sample};
use crate::system::System;
use crate::variant::Variant;
use crate::worker::{Report, Work, Worker};
use anyhow::ensure;
use std::time::Duration;

pub(crate) async fn measure<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    if !S::PARALLEL {
        // One process at a time can write; a second one only waits.
        return Ok(());
    }
    let mut all: Vec<(usize, Rounds)> = bench.scale.relays.iter().map(|relays| (*relays, Rounds::default())).collect();
    let (database, waiting) = (&bench.database, bench.scale.shared);
    // The numbers of processes take turns, too.
    for round in 0..bench.scale.rounds {
        for (relays, rounds) in &mut all {
            let drain = async |side| {
                database.clear().await?;
                backlog::fill(database, waiting, true).await?;
                drain_together(database, side, *relays, waiting).await
            };
            rounds.add_one(round, &[Variant::Floor, Variant::Ours], drain).await?;
        }
    }
    for (relays, rounds) in all {
        bench.note(Record::of_rounds::<S>(&format!("relays-{relays}"), relays, &rounds)?);
    }
    Ok(())
}

async fn drain_together<S: System>(database: &Database<S>, side: Variant, relays: usize, waiting: u64) -> anyhow::Result<Sample> {
    let program = std::env::current_exe()?;
    let mut children = Vec::new();
    for _ in 0..relays {
        let worker = Worker { system: S::LABEL, url: database.url.clone(), work: Work::drain(side) };
        children.push(Child::start(&program, "worker", &worker)?);
    }
    for child in &mut children {
        child.ready().await?;
    }
    let meter = database.meter().await?;
    for child in &mut children {
        child.go().await?;
    }
    while children.iter().map(Child::progress).sum::<u64>() < waiting {
        for child in &mut children {
            ensure!(!child.is_over(), "a relay has ended before the backlog was drained");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = meter.elapsed();
    let mut cost = meter.stop(database).await?;
    (cost.cpu, cost.peak_mb) = (Some(Duration::ZERO), None);
    for child in children {
        let report: Report = child.stop().await?;
        cost.cpu = cost.cpu.zip(report.cpu).map(|(all, one)| all + one);
        // Per process.
        cost.peak_mb = cost.peak_mb.into_iter().chain(report.peak_mb).reduce(f64::max);
    }
    Ok(Sample { events: waiting, took, cost, latencies: Latencies::none()? })
}
