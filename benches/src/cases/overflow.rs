//! A handler that is far too slow for what is published: memory must stay flat.

use crate::cases::Bench;
use crate::events::{Bulky, dawdle};
use crate::record::Record;
use crate::sample::{Latencies, Sample};
use crate::system::System;
use crate::variant::Variant;
use events_core::publish;
use events_sqlx::Outbox;
use std::time::Duration;

/// Events per unit of work.
const TOGETHER: u64 = 100;
/// The scanner and the handler are watched for so long after the last event.
const AFTERMATH: Duration = Duration::from_secs(2);

pub(crate) async fn measure<S: System>(bench: &mut Bench<S>) -> anyhow::Result<()> {
    let (database, events) = (&bench.database, bench.scale.overflow);
    database.clear().await?;
    let pool = database.pool(1).await?;
    let outbox = Outbox::builder(pool.clone()).without_linked_handlers().handler::<dawdle>().start().await?;
    let meter = database.meter().await?;
    for first in (0..events).step_by(usize::try_from(TOGETHER)?) {
        outbox.run(async |_| (first..events.min(first + TOGETHER)).try_for_each(|number| publish(Bulky::number(number)).map(drop))).await?;
    }
    let took = meter.elapsed();
    tokio::time::sleep(AFTERMATH).await;
    let cost = meter.stop(database).await?;
    outbox.shutdown_within(Duration::ZERO).await;
    drop(outbox);
    pool.close().await;
    let sample = Sample { events, took, cost, latencies: Latencies::none()? };
    bench.note([Record::of_sample::<S>("overflow", Variant::Ours, 1, &sample)]);
    Ok(())
}
