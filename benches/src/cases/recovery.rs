//! A relay that holds leases is killed: how long until another one has delivered everything.

use crate::cases::Bench;
use crate::child::Child;
use crate::database::Database;
use crate::events::{Arrivals, Endless, Holding, hold_or_note};
use crate::meter::Cost;
use crate::record::Record;
use crate::sample::{Latencies, Sample};
use crate::system::System;
use crate::variant::Variant;
use crate::worker::{Report, Work, Worker};
use anyhow::ensure;
use events_core::publish;
use events_sqlx::Outbox;
use std::time::{Duration, Instant};

const EVENTS: u64 = 2_000;
/// Events per unit of work.
const TOGETHER: u64 = 100;
/// At least so many leases are lost with the relay.
const HELD: u64 = 32;

pub(crate) async fn measure<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    let mut latencies = Latencies::none()?;
    for _ in 0..bench.scale.kills {
        let took = kill(&bench.database, bench.scale.lease).await?;
        latencies.note(took);
    }
    let took = Duration::from_micros(latencies.quantile(0.5).unwrap_or(0));
    let mut record =
        Record::of_sample::<S>("recovery", Variant::Ours, 1, &Sample { events: EVENTS, took, cost: Cost::default(), latencies });
    // Its figure is a time; a rate would only mislead.
    record.events_per_s = None;
    bench.note([record]);
    Ok(())
}

async fn kill<S: System>(database: &Database<S>, lease: Duration) -> anyhow::Result<Duration> {
    database.clear().await?;
    publish_events(database).await?;
    let start = |hold| {
        let worker = Worker { system: S::LABEL, url: database.url.clone(), work: Work::HoldOrNote { hold, lease } };
        Child::start(&std::env::current_exe()?, "worker", &worker)
    };
    let (mut holder, mut other) = (start(true)?, start(false)?);
    holder.ready().await?;
    other.ready().await?;
    holder.go().await?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while holder.progress() < HELD {
        ensure!(Instant::now() < deadline && !holder.is_over(), "the relay to be killed leases nothing");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    other.go().await?;
    // What the first one does not hold, the other one delivers; then they are both in the middle of their work.
    let mut before = u64::MAX;
    while before != other.progress() || before == 0 {
        before = other.progress();
        ensure!(!other.is_over(), "the other relay has ended");
        tokio::time::sleep(Duration::from_millis(if before + holder.progress() >= EVENTS { 20 } else { 1_500 })).await;
        if holder.progress() >= EVENTS {
            break;
        }
    }
    ensure!(other.progress() < EVENTS, "nothing is held that could be lost");
    let killed = Instant::now();
    holder.kill().await?;
    while other.progress() < EVENTS {
        ensure!(!other.is_over(), "the other relay has ended");
        ensure!(killed.elapsed() < lease * 4 + Duration::from_secs(30), "not everything was delivered after the relay was killed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = killed.elapsed();
    let report: Report = other.stop().await?;
    ensure!(report.arrivals.iter().all(|arrived| *arrived > 0), "an event did not arrive");
    Ok(took)
}

/// Publishes from a process whose relay is shut down, so that all is left to others.
async fn publish_events<S: System>(database: &Database<S>) -> anyhow::Result<()> {
    let pool = database.pool(1).await?;
    let builder = Outbox::builder(pool.clone()).without_linked_handlers().handler::<hold_or_note>();
    let outbox = builder.state(Arrivals::default()).state(Holding(false)).start().await?;
    outbox.shutdown_within(Duration::ZERO).await;
    for first in (0..EVENTS).step_by(usize::try_from(TOGETHER)?) {
        outbox.run(async |_| (first..first + TOGETHER).try_for_each(|number| publish(Endless { number }).map(drop))).await?;
    }
    pool.close().await;
    Ok(())
}
