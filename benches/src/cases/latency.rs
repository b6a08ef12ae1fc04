//! How soon after COMMIT the handler is called, at a moderate load.

use crate::cases::Findings;
use crate::database::{Database, insert_order};
use crate::events::{Arrivals, Urgent, note_arrival};
use crate::record::Record;
use crate::sample::Latencies;
use crate::scale::Scale;
use crate::verdict::{Target, Verdict};
use anyhow::Context;
use events_core::publish;
use events_sqlx::sqlite::Outbox;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// One unit of work so often: a fraction of what the machine can do.
const EVERY: Duration = Duration::from_millis(2);
/// How long the last deliveries may take.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(scale: &Scale) -> anyhow::Result<Findings> {
    let count = usize::try_from(scale.latency.as_micros() / EVERY.as_micros())?;
    let database = Database::create().await?;
    let arrivals = Arrivals::of(count);
    let outbox =
        Outbox::builder(database.pool.clone()).without_linked_handlers().handler::<note_arrival>().state(arrivals.clone()).start().await?;
    let mut timer = interval(EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut published = Vec::with_capacity(count);
    for number in 0..count {
        timer.tick().await;
        let mut publishing = Instant::now();
        outbox
            .run(async |uow| {
                insert_order(uow.conn(), 1, 1, "urgent").await?;
                publishing = Instant::now();
                publish(Urgent { number })?;
                anyhow::Ok(())
            })
            .await?;
        published.push((publishing, Instant::now()));
    }
    let (mut from_publish, mut from_commit) = (Latencies::none()?, Latencies::none()?);
    let last_call = Instant::now() + DEADLINE;
    for (number, (publishing, committed)) in published.into_iter().enumerate() {
        let arrived = loop {
            match arrivals.get(number) {
                Some(arrived) => break arrived,
                None if Instant::now() > last_call => break None.context("an event did not arrive")?,
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        };
        from_publish.note(arrived.saturating_duration_since(publishing));
        // A handler that is called before `run` has returned is as early as can be.
        from_commit.note(arrived.saturating_duration_since(committed));
    }
    outbox.shutdown().await;
    database.pool.close().await;
    Ok(Findings {
        verdicts: vec![line("latency, commit to handler", &from_commit), line("latency, publish() to handler", &from_publish)],
        records: vec![
            Record::of("latency", "ours", 1).with_latencies(&from_commit),
            Record::of("latency from publish", "ours", 1).with_latencies(&from_publish),
        ],
    })
}

fn line(case: &str, latencies: &Latencies) -> Verdict {
    let micros = |quantile| latencies.quantile(quantile).unwrap_or(0);
    Verdict {
        case: format!("{case}, {} units of work/s", 1_000_000 / EVERY.as_micros()),
        floor: "-".into(),
        ours: format!("p50 {} us, p99 {} us", micros(0.5), micros(0.99)),
        ratio: None,
        target: Target::None,
    }
}
