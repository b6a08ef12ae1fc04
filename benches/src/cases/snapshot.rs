//! Another session holds a snapshot open, so that nothing deleted since then can be removed. The rate at the end of that time counts.

use crate::backlog;
use crate::cases::Bench;
use crate::database::Database;
use crate::events::Kind;
use crate::load::Load;
use crate::publisher::Unit;
use crate::record::Record;
use crate::rounds::Rounds;
use crate::system::System;
use crate::variant::Variant;
use std::time::Instant;

const TASKS: usize = 8;
const SIDES: [Variant; 2] = [Variant::Floor, Variant::Ours];

pub(crate) async fn measure<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    let load = Load { tasks: TASKS, unit: Unit { kind: Kind::Plain, events: 1, delivered: true }, time: bench.scale.time };
    let (database, rounds) = (&bench.database, bench.scale.rounds);
    let undisturbed = async |side| {
        database.clear().await?;
        load.measure_on_top(database, side).await
    };
    // Half before and half after, so that a machine that grows slower does not look like the snapshot's doing.
    let mut free = Rounds::measure(rounds.div_ceil(2), &SIDES, undisturbed).await?;
    let mut held = Vec::new();
    for side in SIDES {
        database.clear().await?;
        // A table that is looked at cannot be emptied, so the session is gone before the next side begins.
        let other = database.pool(1).await?;
        let mut conn = other.acquire().await?;
        S::hold_snapshot(&mut conn).await?;
        leave_remains(database, bench.scale.remains).await?;
        // One process all the time, as it would be: the first look of each is at everything.
        let end = Instant::now() + bench.scale.snapshot;
        let samples = load.measure_in_a_row(database, side, end, usize::try_from(rounds)?).await?;
        S::release_snapshot(&mut conn).await?;
        drop(conn);
        other.close().await;
        held.push((side, samples.into()));
    }
    for round in 0..rounds.div_ceil(2) {
        free.add_one(round, &SIDES, undisturbed).await?;
    }
    bench.note(Record::of_rounds::<S>("snapshot-undisturbed", TASKS, &free)?);
    bench.note(Record::of_rounds::<S>("snapshot", TASKS, &Rounds::from(held))?);
    Ok(())
}

/// What so many deliveries leave behind that became due and were delivered.
async fn leave_remains<S: System>(database: &Database<S>, rows: u64) -> anyhow::Result<()> {
    if rows > 0 {
        backlog::fill(database, rows, true).await?;
        S::execute(&mut *database.control.acquire().await?, "DELETE FROM outbox".to_owned()).await?;
    }
    Ok(())
}
