//! Events that wait before a measurement begins, and how fast they go.

use crate::database::Database;
use crate::events::{Kind, Order};
use crate::floor;
use crate::publisher::idle_handlers;
use crate::sample::{Latencies, Sample};
use crate::system::{Backlog, System};
use crate::variant::Variant;
use anyhow::{bail, ensure};
use events_sqlx::Outbox;
use std::time::Duration;

/// A backlog that is not drained by then never will be.
const DEADLINE: Duration = Duration::from_secs(1_800);

/// Adds so many waiting events of the plain kind: due, or due tomorrow.
pub(crate) async fn fill<S: System>(database: &Database<S>, rows: u64, due: bool) -> anyhow::Result<()> {
    let payload = floor::payload(&Order::number(7))?;
    let backlog = Backlog { rows, target: Kind::Plain.targets()[0], topic: Kind::Plain.topic(), payload: &payload, due };
    S::fill(&database.control, &backlog).await?;
    S::settle_down(&database.control).await?;
    Ok(())
}

/// Delivers and settles `enough` of the waiting events in this process.
pub(crate) async fn drain<S: System>(database: &Database<S>, variant: Variant, enough: u64) -> anyhow::Result<Sample> {
    let (took, cost) = match variant {
        Variant::Floor => {
            let relay = database.relay_pool().await?;
            // Connected, as our side is when its time begins.
            drop(relay.acquire().await?);
            let meter = database.meter().await?;
            let drained = floor::drain(&relay, Kind::Plain.targets()[0], enough, |_| ()).await?;
            let took = meter.elapsed();
            let cost = meter.stop(database).await?;
            relay.close().await;
            ensure!(drained >= enough, "the floor drained {drained} of {enough}");
            (took, cost)
        }
        Variant::Ours => {
            let pool = database.pool(1).await?;
            let meter = database.meter().await?;
            let outbox = idle_handlers(Outbox::builder(pool.clone())).start().await?;
            while outbox.stats().delivered_by_scanner < enough {
                ensure!(meter.elapsed() < DEADLINE, "the backlog was not drained in {DEADLINE:?}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let took = meter.elapsed();
            let cost = meter.stop(database).await?;
            outbox.shutdown_within(Duration::from_secs(5)).await;
            drop(outbox);
            pool.close().await;
            (took, cost)
        }
        Variant::Bare | Variant::Peer(_) => bail!("{variant} drains nothing"),
    };
    Ok(Sample { events: enough, took, cost, latencies: Latencies::none()? })
}
