//! A long backlog to a handler that does nothing, in one process.

use crate::backlog;
use crate::cases::Bench;
use crate::record::Record;
use crate::rounds::Rounds;
use crate::system::System;
use crate::variant::Variant;

pub(crate) async fn measure<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    let (database, waiting) = (&bench.database, bench.scale.waiting);
    let rounds = Rounds::measure(bench.scale.rounds, &[Variant::Floor, Variant::Ours], async |side| {
        database.clear().await?;
        backlog::fill(database, waiting, true).await?;
        let mut sample = backlog::drain(database, side, waiting).await?;
        sample.cost.dead_rows = S::dead_rows(&database.control).await?;
        Ok(sample)
    })
    .await?;
    bench.note(Record::of_rounds::<S>("drain", 1, &rounds)?);
    Ok(())
}
