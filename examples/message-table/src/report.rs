//! What happened, and whether it is what should have happened.

use crate::{
    audit::Audit,
    books::Books,
    customers::Tally,
    services::{Service, Services},
};
use std::{fmt, sync::atomic::Ordering::Relaxed};

/// Violations of one check that are shown; the rest is counted.
const SHOWN: usize = 5;

/// The report.
pub(crate) struct Report {
    happened: Vec<(&'static str, u64)>,
    audit: Audit,
    line: String,
}

impl Report {
    /// Draws up the report.
    pub(crate) async fn of(services: &Services, tally: &Tally) -> anyhow::Result<Self> {
        let books = Books::read(services).await?;
        let audit = Audit::of(&books, tally);
        let sum = |count: fn(&Service) -> u64| services.both().into_iter().map(count).sum::<u64>();
        let again = sum(|service| service.outbox.stats().duplicates);
        let happened = vec![
            ("orders placed again under their number, and refused", tally.refused_twice),
            ("events that the broker refused", sum(|service| service.broker.refused.load(Relaxed))),
            ("events that it took without a confirmation", sum(|service| service.broker.lost_acks.load(Relaxed))),
            ("events that it confirmed and lost", sum(|service| service.lost.load(Relaxed))),
            ("calls of handlers that failed", sum(|service| service.faults.count())),
            ("events that came again, known to the inbox", again),
            ("orders driven again, because they were overdue", books.driven_again),
            ("orders that came again, known to the warehouse", books.repeats),
        ];
        let rolled_back = tally.rolled_back.len();
        let (orders, duplicates) = (tally.placed.len() + rolled_back, again + books.repeats);
        let Audit { done, lost, .. } = audit;
        let line = format!("orders={orders} done={done} rolled_back={rolled_back} duplicates={duplicates} lost={lost}");
        Ok(Self { happened, audit, line })
    }

    /// Whether every check held.
    pub(crate) fn is_clean(&self) -> bool {
        self.audit.is_clean()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.happened {
            writeln!(f, "{count:>6}  {what}")?;
        }
        writeln!(f)?;
        for check in &self.audit.checks {
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
