//! A long backlog to a handler that does nothing, against a hand-written loop over the same rows.

use crate::cases::Findings;
use crate::database::Database;
use crate::events::{Placed, ignore};
use crate::floor;
use crate::record::Record;
use crate::rounds::Rounds;
use crate::sample::{Latencies, Sample, Stopwatch};
use crate::scale::Scale;
use crate::verdict::{Target, Verdict};
use anyhow::ensure;
use events_core::Publication;
use events_sqlx::sqlite::Outbox;
use std::path::Path;
use std::time::Duration;

const TARGET: Target = Target::RatioAtLeast(0.8);

/// Copies the only row of the outbox, as due and with ids in the order of time as UUIDv7 are.
const MULTIPLY: &str = "INSERT INTO outbox (id, event_id, target, topic, version, payload, content_type, source, headers, occurred_at, visible_at) \
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1) \
    SELECT unhex(printf('%012x7%03x8', occurred_at / 1000 + n / 16, n % 4096) || substr(hex(randomblob(8)), 2)), \
           unhex(printf('%012x7%03x9', occurred_at / 1000 + n / 16, n % 4096) || substr(hex(randomblob(8)), 2)), \
           target, topic, version, payload, content_type, source, headers, occurred_at, occurred_at / 1000 - 100000 + n / 16 \
    FROM number CROSS JOIN outbox";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Floor,
    Ours,
}

pub(crate) async fn measure(scale: &Scale) -> anyhow::Result<Findings> {
    let full = fill(scale.waiting).await?;
    let file = full.settle_down().await?;
    full.pool.close().await;
    let sides = [Side::Floor, Side::Ours];
    let rounds = Rounds::measure(scale.rounds, &sides, async |side| run(side, file, scale.waiting).await).await?;
    Ok(Findings {
        verdicts: vec![Verdict {
            case: format!("drain, {} waiting", scale.waiting),
            floor: format!("{:.0}/s", rounds.median(Side::Floor, Sample::per_second)),
            ours: format!("{:.0}/s", rounds.median(Side::Ours, Sample::per_second)),
            ratio: Some(rounds.ratio(Side::Ours, Side::Floor, Sample::per_second)),
            target: TARGET,
        }],
        records: vec![
            Record::of("drain", "floor", 1).with_rounds(&rounds, Side::Floor)?,
            Record::of("drain", "ours", 1).with_rounds(&rounds, Side::Ours)?,
        ],
    })
}

/// A database with so many events waiting.
async fn fill(waiting: u64) -> anyhow::Result<Database> {
    let database = Database::create().await?;
    let outbox = outbox(&database).await?;
    outbox.run(async |_| Publication::of(Placed::number(7)).delay(Duration::from_secs(3_600)).publish()).await?;
    outbox.shutdown_within(Duration::ZERO).await;
    let rows = i64::try_from(waiting)?;
    sqlx::query(MULTIPLY).bind(rows).execute(&database.pool).await?;
    // The one that was published is due in an hour and not part of the backlog.
    sqlx::query("DELETE FROM outbox WHERE not_before IS NOT NULL").execute(&database.pool).await?;
    ensure!(outbox.waiting().await? == waiting, "the backlog could not be filled");
    Ok(database)
}

async fn outbox(database: &Database) -> anyhow::Result<Outbox> {
    Ok(Outbox::builder(database.pool.clone()).without_linked_handlers().handler::<ignore>().start().await?)
}

async fn run(side: Side, file: &Path, waiting: u64) -> anyhow::Result<Sample> {
    let database = Database::copy_of(file).await?;
    let sample = match side {
        Side::Floor => {
            let mut conn = database.pool.acquire().await?;
            let watch = Stopwatch::start();
            let drained = floor::drain(&mut conn, "ignore", |payload| {
                serde_json::from_slice::<Placed>(payload)?;
                Ok(())
            })
            .await?;
            ensure!(drained == waiting, "the floor drained {drained} of {waiting}");
            Sample { events: waiting, took: watch.elapsed(), cpu: watch.cpu(), latencies: Latencies::none()? }
        }
        Side::Ours => {
            let watch = Stopwatch::start();
            let outbox = outbox(&database).await?;
            while outbox.stats().delivered_by_scanner < waiting {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let sample = Sample { events: waiting, took: watch.elapsed(), cpu: watch.cpu(), latencies: Latencies::none()? };
            outbox.shutdown_within(Duration::from_secs(1)).await;
            ensure!(outbox.waiting().await? == 0, "something is left in the outbox");
            sample
        }
    };
    database.pool.close().await;
    Ok(sample)
}
