//! What happened, as a table, and whether it is what should have happened.

use crate::{
    audit::{Audit, Check, Excuses},
    books::{Books, TARGETS, TOPICS},
    latency::Latencies,
    northwind::PastOrder,
    orders,
    replay::Tally,
    shop::Shop,
    status::Status,
    table::{Table, count},
};
use std::{fmt, sync::atomic::Ordering::Relaxed};

/// Violations of one check that are shown; the rest is counted.
const SHOWN: usize = 5;

/// The report on a replay.
pub(crate) struct Report {
    summary: String,
    table: String,
    checks: Vec<Check>,
    line: String,
}

impl Report {
    /// Whether every check held.
    pub(crate) fn is_clean(&self) -> bool {
        self.checks.iter().all(|check| check.violations.is_empty())
    }

    /// Draws up the report. `began` is when this run did; what earlier runs did is checked too, but not timed.
    pub(crate) async fn of(shop: &Shop, past: &[PastOrder], tally: &Tally, began: i64, earlier_run: bool) -> anyhow::Result<Self> {
        let stats = shop.outbox.stats();
        let books = Books::read(shop).await?;
        let audit = Audit::of(&books);
        let (waiting, dead) = (shop.outbox.waiting().await?, shop.outbox.dead_count().await?);
        let lost_acks = shop.broker.lost_acks.load(Relaxed);

        let outage = shop.broker_is_outside && stats.retried + stats.handed_back + stats.paused > 0;
        let excuses = Excuses { earlier_run, lost_leases: stats.lease_lost, lost_acks, outage };
        let declined = shop.declined.references();
        let mut checks = audit.checks(&declined, &excuses);
        checks.push(Check { claim: "every order got as far as it did in the past", violations: unlike_the_past(shop, past).await? });
        checks.push(Check { claim: "the outbox is empty, and so are the dead letters", violations: left_over(waiting, dead) });

        let topics = TOPICS.map(|topic| (topic, audit.delivered(topic)));
        let targets = TARGETS.map(|target| (target.name, audit.received(target.name)));
        let sum = |pick: fn(&(u64, u64)) -> u64| topics.iter().map(|(_, counts)| pick(counts)).sum::<u64>();
        let (events, delivered) = (sum(|counts| counts.0), sum(|counts| counts.1));
        let duplicates: u64 = targets.iter().map(|(_, (_, duplicates))| duplicates).sum();
        let (orders, _) = audit.delivered(TOPICS[0]);

        let mut table = Table::default();
        table.head("units of work", &["this run"]);
        table.row("committed", &[count(tally.committed)]);
        table.row("rolled back, card declined", &[count(tally.rolled_back)]);
        table.row("told by after_rollback", &[count(declined.len() as u64)]);
        table.head("events", &["committed", "delivered"]);
        for (topic, (committed, delivered)) in topics {
            table.row(topic, &[count(committed), count(delivered)]);
        }
        table.head("targets", &["received", "duplicates", "p50", "p99"]);
        for (target, (received, duplicates)) in targets {
            let latencies = Latencies::of(&books, target, began)?;
            table.row(target, &[count(received), count(duplicates), latencies.at(0.50), latencies.at(0.99)]);
        }
        table.head("deliveries", &["this run"]);
        table.row("delivered from memory", &[count(stats.delivered_from_memory)]);
        table.row("compensated by the scanner", &[count(stats.delivered_by_scanner)]);
        table.row("retried after a failure", &[count(stats.retried)]);
        table.row("given back, target away", &[count(stats.handed_back)]);
        table.row("lease lost", &[count(stats.lease_lost)]);
        table.row("dead", &[count(stats.dead)]);
        table.head("broker", &["this run"]);
        table.row("calls", &[count(shop.broker.calls.load(Relaxed))]);
        table.row("events refused", &[count(shop.broker.refused.load(Relaxed))]);
        table.row("calls while it was away", &[count(shop.broker.outages.load(Relaxed))]);
        table.row("acknowledgements lost", &[count(lost_acks)]);

        let lost = events - delivered;
        let line = format!("orders={orders} events={events} delivered={delivered} duplicates={duplicates} lost={lost} dead={dead}");
        let lines: usize = past.iter().map(|past| past.order.lines.len()).sum();
        let summary = format!(
            "replayed  {} orders with {} lines in {:.1} s; the last delivery came {:.1} s later",
            count(past.len() as u64),
            count(lines as u64),
            tally.took.as_secs_f64(),
            tally.drained_in.as_secs_f64()
        );
        Ok(Self { summary, table: table.into_text(), checks, line })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n", self.summary, self.table)?;
        for check in &self.checks {
            writeln!(f, "{}  {}", if check.violations.is_empty() { "ok    " } else { "BROKEN" }, check.claim)?;
            for violation in check.violations.iter().take(SHOWN) {
                writeln!(f, "          {violation}")?;
            }
            match check.violations.len().saturating_sub(SHOWN) {
                0 => {}
                more => writeln!(f, "          and {more} more")?,
            }
        }
        write!(f, "\n{}", self.line)
    }
}

/// The orders that did not end as in the past; the 21 that were not shipped must not be.
async fn unlike_the_past(shop: &Shop, past: &[PastOrder]) -> Result<Vec<String>, sqlx::Error> {
    let mut violations = Vec::new();
    for past in past {
        let expected = Some(if past.was_shipped { Status::Shipped } else { Status::Paid });
        let status = orders::status(&shop.pool, past.order_id).await?;
        if status != expected {
            violations.push(format!("order {} is {status:?} instead of {expected:?}", past.order_id));
        }
    }
    Ok(violations)
}

fn left_over(waiting: u64, dead: u64) -> Vec<String> {
    let some = |many: u64, text: &str| (many > 0).then(|| format!("{many} {text}"));
    let waiting = some(waiting, "deliveries still wait; run again with this `--database`, or wait longer with `--deadline`");
    [waiting, some(dead, "deliveries are in the dead letters")].into_iter().flatten().collect()
}
