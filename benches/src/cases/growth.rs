//! More and more events wait: what is published then (they are due tomorrow), and what the first of a long backlog cost.

use crate::backlog;
use crate::cases::Bench;
use crate::database::Database;
use crate::events::Kind;
use crate::load::Load;
use crate::publisher::Unit;
use crate::record::Record;
use crate::rounds::Rounds;
use crate::scale::Scale;
use crate::system::System;
use crate::variant::Variant;

const SIDES: [Variant; 2] = [Variant::Floor, Variant::Ours];
const TASKS: usize = 8;

pub(crate) async fn measure<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    // Half of the least: a relay leases more than it has delivered, and must find as much to lease in the shortest backlog as in the longest.
    let Some(drained) = bench.scale.growth.iter().copied().min().map(|least| least / 2) else { return Ok(()) };
    // A database for each size, so that the sizes take turns.
    let mut sizes = Vec::new();
    for waiting in bench.scale.growth.clone() {
        sizes.push(Size { waiting, database: Database::<S>::create().await?, published: Rounds::default(), drained: Rounds::default() });
    }
    let measured = take_turns(&mut sizes, &bench.scale, drained).await;
    for size in sizes {
        if measured.is_ok() {
            bench.note(Record::of_rounds::<S>(&format!("growth-{}", size.waiting), TASKS, &size.published)?);
            bench.note(Record::of_rounds::<S>(&format!("growth-drain-{}", size.waiting), 1, &size.drained)?);
        }
        size.database.drop().await?;
    }
    measured
}

/// A database in which so many events wait.
struct Size<S: System> {
    waiting: u64,
    database: Database<S>,
    published: Rounds,
    drained: Rounds,
}

async fn take_turns<S: System>(sizes: &mut [Size<S>], scale: &Scale, drained: u64) -> anyhow::Result<()> {
    let load = Load { tasks: TASKS, unit: Unit { kind: Kind::Plain, events: 1, delivered: true }, time: scale.time };
    for size in &*sizes {
        backlog::fill(&size.database, size.waiting, false).await?;
    }
    for round in 0..scale.rounds {
        for Size { database, published, .. } in &mut *sizes {
            published.add_one(round, &SIDES, async |side| load.measure_on_top(database, side).await).await?;
        }
    }
    for size in &*sizes {
        size.database.clear().await?;
        backlog::fill(&size.database, size.waiting, true).await?;
    }
    // As many are drained however many wait, so that only the waiting make the difference.
    for round in 0..scale.rounds {
        for Size { database, waiting, drained: rounds, .. } in &mut *sizes {
            let drain = async |side| {
                // Few rounds take little of much; what is nearly gone is filled up again.
                if *waiting < drained * u64::from(scale.rounds) * 8 {
                    database.clear().await?;
                    backlog::fill(database, *waiting, true).await?;
                }
                backlog::drain(database, side, drained).await
            };
            rounds.add_one(round, &SIDES, drain).await?;
        }
    }
    Ok(())
}
