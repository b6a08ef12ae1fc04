//! A handler that is far too slow for what is published: memory must stay flat.

use crate::cases::Findings;
use crate::database::Database;
use crate::events::{Bulky, dawdle};
use crate::process;
use crate::record::Record;
use crate::sample::{Stopwatch, as_f64};
use crate::scale::Scale;
use crate::verdict::{Target, Verdict};
use events_core::publish;
use events_sqlx::sqlite::Outbox;
use std::{pin::pin, time::Duration};
use tokio::{select, time::interval};

const LIMIT_MB: f64 = 150.0;
/// Events per unit of work.
const TOGETHER: u64 = 100;
const SAMPLE_EVERY: Duration = Duration::from_millis(20);
/// The scanner and the handler are watched for so long after the last event.
const AFTERMATH: Duration = Duration::from_secs(2);

pub(crate) async fn measure(scale: &Scale) -> anyhow::Result<Findings> {
    let events = scale.overflow;
    let database = Database::create().await?;
    let outbox = Outbox::builder(database.pool.clone()).without_linked_handlers().handler::<dawdle>().start().await?;
    process::forget_peak();
    let watch = Stopwatch::start();
    let mut publishing = pin!(async {
        for first in (0..events).step_by(usize::try_from(TOGETHER)?) {
            outbox.run(async |_| (first..events.min(first + TOGETHER)).try_for_each(|number| publish(Bulky::number(number)))).await?;
        }
        let published = (watch.elapsed(), watch.cpu());
        tokio::time::sleep(AFTERMATH).await;
        anyhow::Ok(published)
    });
    let mut timer = interval(SAMPLE_EVERY);
    let mut peak = None;
    let (took, cpu) = loop {
        select! {
            published = &mut publishing => break published?,
            _ = timer.tick() => peak = higher(peak, process::resident_mb()),
        }
    };
    peak = higher(peak, process::peak_mb());
    let overflowed = outbox.stats().overflowed;
    outbox.shutdown_within(Duration::ZERO).await;
    database.pool.close().await;

    let rate = as_f64(events) / took.as_secs_f64();
    let resident = peak.map_or_else(|| "not measured".into(), |peak| format!("{peak:.0} MB resident"));
    let mut record = Record::of("overflow", "ours", 1);
    record.events_per_s = Some(rate);
    record.rss_mb = peak;
    record.cpu_s_per_million = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / as_f64(events));
    Ok(Findings {
        verdicts: vec![Verdict {
            case: format!("overflow, {events} events at {rate:.0}/s, {overflowed} beyond memory"),
            floor: "-".into(),
            ours: resident,
            ratio: None,
            target: Target::Memory { peak_mb: peak, below_mb: LIMIT_MB },
        }],
        records: vec![record],
    })
}

fn higher(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::max)
}
