//! What happened, and whether it is what should have happened.

use crate::{audit::Audit, bank::Bank, books::Books, database::Database, transfer::State};
use std::{fmt, sync::atomic::Ordering::Relaxed};

/// Violations of one check that are shown; the rest is counted.
const SHOWN: usize = 5;

/// The report on both banks.
pub(crate) struct Report {
    injected: String,
    audit: Audit,
    line: String,
    planned: i64,
    made: i64,
}

impl Report {
    /// Draws up the report. `planned` is how many transfers there should be.
    pub(crate) async fn of<D: Database>(bank1: &Bank<D>, bank2: &Bank<D>, planned: i64) -> anyhow::Result<Self> {
        let books = Books::read(bank1, bank2).await?;
        let audit = Audit::of(&books);
        let banks = [bank1, bank2];
        let sum = |count: fn(&Bank<D>) -> u64| banks.into_iter().map(count).sum::<u64>();
        let injected = format!(
            "{} handler errors, {} events refused by the broker, {} calls while it was away, {} acknowledgements lost",
            sum(|bank| bank.faults.count()),
            sum(|bank| bank.broker.refused.load(Relaxed)),
            sum(|bank| bank.broker.outages.load(Relaxed)),
            sum(|bank| bank.broker.lost_acks.load(Relaxed))
        );
        let made = i64::try_from(books.transfers.len())?;
        let of = |wanted: State| books.transfers.iter().filter(|(_, state)| *state == wanted).count();
        // An acknowledgement that was lost brings an event again. The inbox knows it, so these cost nothing but the way.
        let duplicates = sum(|bank| bank.outbox.stats().duplicates);
        let Audit { total_before, total_after, lost, .. } = audit;
        let (completed, rejected, refused) = (of(State::Completed), of(State::Rejected), of(State::Refused));
        let line = format!(
            "transfers={made} total_before={total_before} total_after={total_after} completed={completed} rejected={rejected} \
             refused={refused} duplicates={duplicates} lost={lost}"
        );
        Ok(Self { injected, audit, line, planned, made })
    }

    /// Whether every check held, and every transfer was made.
    pub(crate) fn is_clean(&self) -> bool {
        self.audit.is_clean() && self.audit.lost == 0 && self.made >= self.planned
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "injected   {}\n", self.injected)?;
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
        if self.made < self.planned {
            writeln!(f, "BROKEN  of {} transfers only {} were made", self.planned, self.made)?;
        }
        write!(f, "\n{}", self.line)
    }
}
