//! A unit of work with one business row and one event, against the same transaction written by hand.
//!
//! Three sides: by hand; ours with delivery going on behind it, which the hand-written side does not have; and ours with an event that is
//! due in an hour, which is the unit of work alone.

use crate::cases::Findings;
use crate::database::{Database, insert_order};
use crate::events::{Placed, PlacedInOrder, ignore, ignore_in_order};
use crate::floor::{Event, Order, Publisher};
use crate::record::Record;
use crate::rounds::Rounds;
use crate::sample::{Latencies, Sample, Stopwatch};
use crate::scale::Scale;
use crate::verdict::{Target, Verdict};
use events_core::{DomainEvent, Publication};
use events_sqlx::sqlite::Outbox;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const TARGET: Target = Target::RatioAtMost(1.5);
const TASKS: [usize; 2] = [1, 8];
/// Units of work before the measurement begins: connections are open, statements prepared.
const WARM_UP: u64 = 200;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Floor,
    /// Delivered and settled in the background.
    Delivered,
    /// Stored for later.
    Stored,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Keys {
    None,
    Customer,
}

pub(crate) async fn measure(scale: &Scale) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    for keys in [Keys::None, Keys::Customer] {
        for tasks in TASKS {
            let sides = [Side::Floor, Side::Delivered, Side::Stored];
            let rounds = Rounds::measure(scale.rounds, &sides, async |side| run(side, keys, tasks, scale.units).await).await?;
            let keyed = if keys == Keys::Customer { ", keyed" } else { "" };
            let floor = rounds.median(Side::Floor, Sample::micros_per_event);
            for (side, what) in [(Side::Delivered, ", delivered"), (Side::Stored, ", stored")] {
                findings.verdicts.push(Verdict {
                    case: format!("publish{keyed}{what}, {tasks} {}", if tasks == 1 { "task" } else { "tasks" }),
                    floor: format!("{floor:.0} us"),
                    ours: format!("{:.0} us", rounds.median(side, Sample::micros_per_event)),
                    ratio: Some(rounds.ratio(side, Side::Floor, Sample::micros_per_event)),
                    target: TARGET,
                });
                findings.records.push(Record::of(format!("publish{keyed}{what}"), "ours", tasks).with_rounds(&rounds, side)?);
            }
            findings.records.push(Record::of(format!("publish{keyed}"), "floor", tasks).with_rounds(&rounds, Side::Floor)?);
        }
    }
    Ok(findings)
}

async fn run(side: Side, keys: Keys, tasks: usize, units: u64) -> anyhow::Result<Sample> {
    let database = Database::create().await?;
    let sample = match side {
        Side::Floor => {
            let publisher = Arc::new(Publisher::new(database.pool.clone()));
            warm_up(async |number| by_hand(&publisher, keys, number).await).await?;
            let watch = Stopwatch::start();
            let latencies = spread(tasks, units, move |number| {
                let publisher = Arc::clone(&publisher);
                async move { by_hand(&publisher, keys, number).await }
            })
            .await?;
            Sample { events: units, took: watch.elapsed(), cpu: watch.cpu(), latencies }
        }
        Side::Delivered | Side::Stored => {
            let outbox = Outbox::builder(database.pool.clone())
                .without_linked_handlers()
                .handler::<ignore>()
                .handler::<ignore_in_order>()
                .start()
                .await?;
            let delay = (side == Side::Stored).then_some(Duration::from_secs(3_600));
            warm_up(async |number| by_us(&outbox, keys, delay, number).await).await?;
            settled(&outbox).await;
            let watch = Stopwatch::start();
            let publisher = outbox.clone();
            let latencies = spread(tasks, units, move |number| {
                let outbox = publisher.clone();
                async move { by_us(&outbox, keys, delay, number).await }
            })
            .await?;
            let took = watch.elapsed();
            settled(&outbox).await;
            let cpu = watch.cpu();
            outbox.shutdown_within(Duration::ZERO).await;
            Sample { events: units, took, cpu, latencies }
        }
    };
    database.pool.close().await;
    Ok(sample)
}

async fn by_hand(publisher: &Publisher, keys: Keys, number: u64) -> anyhow::Result<()> {
    let Placed { customer_id, amount_cents, note, .. } = &Placed::number(number);
    let order = Order { customer_id: *customer_id, amount_cents: *amount_cents, note };
    let event = match keys {
        Keys::None => Event {
            target: "ignore",
            topic: Placed::TOPIC,
            key: None,
            key_seq: None,
            payload: serde_json::to_vec(&Placed::number(number))?,
        },
        Keys::Customer => Event {
            target: "ignore_in_order",
            topic: PlacedInOrder::TOPIC,
            key: Some(customer_id.to_string()),
            // The floor does not number the events of a key; that is part of what a key costs.
            key_seq: i64::try_from(number).ok(),
            payload: serde_json::to_vec(&PlacedInOrder::number(number))?,
        },
    };
    publisher.publish(order, event).await
}

async fn by_us(outbox: &Outbox, keys: Keys, delay: Option<Duration>, number: u64) -> anyhow::Result<()> {
    outbox
        .run(async |uow| {
            let Placed { customer_id, amount_cents, note, .. } = &Placed::number(number);
            insert_order(uow.conn(), *customer_id, *amount_cents, note).await?;
            match keys {
                Keys::None => publish(Placed::number(number), delay)?,
                Keys::Customer => publish(PlacedInOrder::number(number), delay)?,
            }
            Ok(())
        })
        .await
}

fn publish<E: DomainEvent>(event: E, delay: Option<Duration>) -> Result<(), events_core::Error> {
    let publication = Publication::of(event);
    match delay {
        Some(delay) => publication.delay(delay).publish(),
        None => publication.publish(),
    }
}

async fn warm_up(unit: impl AsyncFn(u64) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for number in 0..WARM_UP {
        unit(number).await?;
    }
    Ok(())
}

/// Runs `units` units of work on `tasks` tasks and notes how long each took.
async fn spread<F>(tasks: usize, units: u64, unit: impl Fn(u64) -> F + Clone + Send + Sync + 'static) -> anyhow::Result<Latencies>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let mut set = JoinSet::new();
    for task in 0..tasks {
        let unit = unit.clone();
        set.spawn(async move {
            let mut latencies = Latencies::none()?;
            for number in (0..units).skip(task).step_by(tasks) {
                let begun = Instant::now();
                unit(number).await?;
                latencies.note(begun.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut all = Latencies::none()?;
    while let Some(latencies) = set.join_next().await {
        all.add(&latencies??)?;
    }
    Ok(all)
}

/// Waits until nothing is in memory any more.
async fn settled(outbox: &Outbox) {
    while outbox.in_flight() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
