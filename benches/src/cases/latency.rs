//! How soon after COMMIT the handler is called at half the load that is possible, in the publisher's process and in another one.

use crate::cases::Bench;
use crate::child::Child;
use crate::database::Database;
use crate::events::{Arrivals, Order, Urgent, note_arrival, now_micros};
use crate::record::Record;
use crate::sample::{Latencies, Sample};
use crate::system::System;
use crate::variant::Variant;
use crate::worker::{Report, Work, Worker};
use anyhow::Context;
use events_core::publish;
use events_sqlx::Outbox;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

const TASKS: u32 = 8;
/// As good as none.
const NO_PAUSE: Duration = Duration::from_nanos(1);
/// What is published first is not counted: connections are opened, statements prepared, and the relay learns how fast the handler is.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long the last deliveries may take.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn measure<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    let (database, time) = (&bench.database, WARM_UP + bench.scale.latency);
    let probe = WARM_UP + Duration::from_secs(1);
    // Without a pause between two units of work each task is as fast as it can be.
    let inside = in_process(database, half_of(&in_process(database, NO_PAUSE, probe).await?), time).await?;
    let outside = from_another(database, half_of(&from_another(database, NO_PAUSE, probe).await?), time).await?;
    bench.note([Record::of_sample::<S>("latency", Variant::Ours, TASKS as usize, &inside)]);
    bench.note([Record::of_sample::<S>("latency-other-process", Variant::Ours, TASKS as usize, &outside)]);
    Ok(())
}

/// How often each task publishes at half the load that was possible.
fn half_of(most: &Sample) -> Duration {
    Duration::from_secs_f64(f64::from(TASKS) / (most.per_second() / 2.0))
}

async fn in_process<S: System>(database: &Database<S>, every: Duration, time: Duration) -> anyhow::Result<Sample> {
    database.clear().await?;
    let (arrivals, pool) = (Arrivals::default(), database.pool(TASKS as usize).await?);
    let builder = Outbox::builder(pool.clone()).without_linked_handlers().handler::<note_arrival>().state(arrivals.clone());
    let outbox = builder.start().await?;
    let meter = database.meter().await?;
    let committed = publish_evenly(&outbox, every, time).await?;
    let events = published(&committed);
    let deadline = Instant::now() + DEADLINE;
    while arrivals.count() < events && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = meter.elapsed();
    let cost = meter.stop(database).await?;
    outbox.shutdown().await;
    pool.close().await;
    Ok(Sample { events, took, cost, latencies: compare(&committed, &arrivals.all())? })
}

async fn from_another<S: System>(database: &Database<S>, every: Duration, time: Duration) -> anyhow::Result<Sample> {
    database.clear().await?;
    let worker = Worker { system: S::LABEL, url: database.url.clone(), work: Work::Note };
    let mut child = Child::start(&std::env::current_exe()?, "worker", &worker)?;
    child.ready().await?;
    child.go().await?;
    let pool = database.pool(TASKS as usize).await?;
    let builder = Outbox::builder(pool.clone()).without_linked_handlers().handler::<note_arrival>();
    let outbox = builder.publish_only().start().await?;
    let meter = database.meter().await?;
    let committed = publish_evenly(&outbox, every, time).await?;
    let events = published(&committed);
    let deadline = Instant::now() + DEADLINE;
    while child.progress() < events && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = meter.elapsed();
    let mut cost = meter.stop(database).await?;
    pool.close().await;
    let report: Report = child.stop().await?;
    cost.cpu = cost.cpu.zip(report.cpu).map(|(publisher, relay)| publisher + relay);
    Ok(Sample { events, took, cost, latencies: compare(&committed, &report.arrivals)? })
}

/// Publishes at an even rate, whatever the answers take; returns when each event was committed.
async fn publish_evenly<S: System>(outbox: &Outbox<S>, every: Duration, time: Duration) -> anyhow::Result<Vec<u64>> {
    let mut set = JoinSet::new();
    let begin = tokio::time::Instant::now() + Duration::from_millis(20);
    for task in 0..TASKS {
        let outbox = outbox.clone();
        set.spawn(async move {
            let mut timer = interval_at(begin + every * task / TASKS, every);
            timer.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut committed = Vec::new();
            while begin.elapsed() < time {
                timer.tick().await;
                let number = committed.len() * TASKS as usize + task as usize;
                outbox
                    .run(async |uow| {
                        S::insert_order(uow.conn(), &Order::number(number as u64)).await?;
                        publish(Urgent { number })?;
                        anyhow::Ok(())
                    })
                    .await?;
                committed.push((number, now_micros()));
            }
            anyhow::Ok(committed)
        });
    }
    let mut all = Vec::new();
    while let Some(committed) = set.join_next().await {
        all.extend(committed??);
    }
    all.sort_unstable();
    // A task that was late at the end leaves a gap in the numbers; the others' places stay.
    let mut committed = vec![0; all.last().map_or(0, |(number, _)| number + 1)];
    all.into_iter().for_each(|(number, at)| committed[number] = at);
    Ok(committed)
}

fn published(committed: &[u64]) -> u64 {
    committed.iter().filter(|committed| **committed > 0).count() as u64
}

/// A handler that is called before `run` has returned is as early as can be.
fn compare(committed: &[u64], arrived: &[u64]) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::none()?;
    let begun = committed.iter().copied().filter(|committed| *committed > 0).min().unwrap_or_default();
    let counts_from = begun + u64::try_from(WARM_UP.as_micros())?;
    for (number, committed) in committed.iter().enumerate().filter(|(_, committed)| **committed >= counts_from) {
        let arrived = arrived.get(number).copied().filter(|arrived| *arrived > 0).context("an event did not arrive in a minute")?;
        latencies.note_micros(arrived.saturating_sub(*committed), 1);
    }
    Ok(latencies)
}
