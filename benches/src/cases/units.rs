//! Units of work, one after the other on each of several tasks: `publish`, `end-to-end`, `keys`, `fan-out`.

use crate::cases::Bench;
use crate::events::Kind;
use crate::load::Load;
use crate::publisher::Unit;
use crate::record::Record;
use crate::rounds::Rounds;
use crate::system::System;
use crate::variant::Variant;

/// A business row and events that are stored, nothing more: they are due in an hour. By hand the same row.
pub(crate) async fn publish<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    let unit = Unit { kind: Kind::Plain, events: 1, delivered: false };
    measure(bench, "publish", unit, true).await?;
    measure(bench, "publish-10", Unit { events: 10, ..unit }, true).await
}

pub(crate) async fn end_to_end<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    measure(bench, "end-to-end", Unit { kind: Kind::Plain, events: 1, delivered: true }, false).await
}

/// The floor stores the key, but keeps no order: the difference is what order costs.
pub(crate) async fn keys<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    measure(bench, "keys", Unit { kind: Kind::InOrder, events: 1, delivered: true }, false).await
}

/// Five deliveries per event; the rate is that of the events.
pub(crate) async fn fan_out<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    measure(bench, "fan-out", Unit { kind: Kind::ForAll, events: 1, delivered: true }, false).await
}

async fn measure<S: System>(bench: &mut Bench<S>, case: &str, unit: Unit, with_bare: bool) -> anyhow::Result<()> {
    for tasks in bench.scale.tasks.clone() {
        let load = Load { tasks, unit, time: bench.scale.time };
        let mut sides = vec![Variant::Floor, Variant::Ours];
        if with_bare {
            sides.insert(0, Variant::Bare);
        }
        if unit.kind == Kind::Plain {
            sides.extend(bench.peers.sides::<S>(&load));
        }
        let (database, peers) = (&bench.database, &bench.peers);
        let rounds = Rounds::measure(bench.scale.rounds, &sides, async |side| load.measure(database, side, peers).await).await?;
        bench.note(Record::of_rounds::<S>(case, tasks, &rounds)?);
    }
    Ok(())
}
