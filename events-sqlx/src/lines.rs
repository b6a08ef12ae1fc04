//! Lines: the deliveries of one key on their way to one target, in commit order.
//!
//! Every line has a row in `outbox_key`. Whoever adds to a line or settles on it locks that row first, and all lock in the same order, so
//! nobody waits in a circle. The row counts what waits: reading the count through the lock tells the truth even in a transaction that
//! otherwise sees an old snapshot, where a look into the outbox would not.

use crate::backend::{Backend, TermsOf, fetch, run};
use crate::rows::text;
use crate::values::{List, Values};
use events_core::Planned;
use std::collections::BTreeMap;

/// A key and a target.
pub(crate) type Line = (String, String);

/// Lines, each with a number of events. Sorted, so that all transactions lock them in the same order.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeMap<Line, i64>);

impl Lines {
    /// The lines of what a unit of work publishes.
    pub(crate) fn of(planned: &[Planned]) -> Self {
        let mut lines = Self::default();
        for line in planned.iter().filter_map(line_of) {
            lines.add(line, 1);
        }
        lines
    }

    pub(crate) fn add(&mut self, line: Line, events: i64) {
        *self.0.entry(line).or_default() += events;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These lines and others.
    pub(crate) fn and(&self, others: &Self) -> Self {
        self.0.iter().chain(&others.0).map(|(line, events)| (line.clone(), *events)).collect()
    }

    /// As a list: `key`, `target`, `events`.
    pub(crate) fn list(&self) -> List {
        List::default()
            .texts("key", self.0.keys().map(|(key, _)| key.as_str()))
            .texts("target", self.0.keys().map(|(_, target)| target.as_str()))
            .ints("events", self.0.values().copied())
    }

    /// The place of each delivery in its line, as far as this unit of work knows it; `None` without a key. Deliveries that are not the
    /// first of their line here are marked as waiting.
    pub(crate) fn place(&self, planned: &mut [Planned]) -> Vec<Option<Place>> {
        let mut ahead: BTreeMap<Line, i64> = BTreeMap::new();
        let place = |row: &mut Planned| {
            let line = line_of(row)?;
            let events = self.0.get(&line).copied().unwrap_or(1);
            let ahead = ahead.entry(line).or_default();
            if *ahead > 0 {
                row.wait_for_key();
            }
            *ahead += 1;
            Some(Place { events, behind: events - *ahead })
        };
        planned.iter_mut().map(place).collect()
    }
}

/// A place in a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// How many events the line has in this unit of work.
    pub(crate) events: i64,
    /// How many of them come after this one.
    pub(crate) behind: i64,
}

/// The line of a delivery; `None` without a key.
pub(crate) fn line_of(row: &Planned) -> Option<Line> {
    let delivery = row.delivery();
    Some((delivery.envelope.key.clone()?, delivery.target.to_string()))
}

impl FromIterator<(Line, i64)> for Lines {
    fn from_iter<I: IntoIterator<Item = (Line, i64)>>(lines: I) -> Self {
        let mut all = Self::default();
        for (line, events) in lines {
            all.add(line, events);
        }
        all
    }
}

/// Counts lines up and makes those that are missing; they stay locked.
pub(crate) async fn raise<DB: Backend>(conn: &mut DB::Connection, lines: &Lines, terms: TermsOf<'_, DB>) -> sqlx::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    run::<DB>(conn, &terms.sql.raise_lines, &Values::list("line", &lines.list()), terms.now).await.map(drop)
}

/// Locks lines.
pub(crate) async fn lock<DB: Backend>(conn: &mut DB::Connection, lines: &Lines, terms: TermsOf<'_, DB>) -> sqlx::Result<()> {
    if lines.is_empty() || terms.sql.lock_lines.is_empty() {
        return Ok(());
    }
    // The locked rows are counted nowhere, but must be fetched: a cursor that is closed early has not locked them all.
    fetch::<DB>(conn, &terms.sql.lock_lines, &Values::list("line", &lines.list()), terms.now).await.map(drop)
}

/// Counts locked lines down by what is over, and makes their next delivery deliverable; returns how many were not before.
pub(crate) async fn advance<DB: Backend>(conn: &mut DB::Connection, lines: &Lines, terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    if lines.is_empty() {
        return Ok(0);
    }
    let list = lines.list();
    run::<DB>(conn, &terms.sql.lower_lines, &Values::list("line", &list), terms.now).await?;
    run::<DB>(conn, &terms.sql.free_heads, &Values::list("line", &list), terms.now).await
}

/// Counts anew what locked lines have, and makes their next delivery deliverable; returns how many were not before.
pub(crate) async fn recount<DB: Backend>(conn: &mut DB::Connection, lines: &Lines, terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    if lines.is_empty() {
        return Ok(0);
    }
    run::<DB>(conn, &terms.sql.recount_lines, &Values::list("line", &lines.list()), terms.now).await?;
    let unchanged = lines.0.keys().map(|line| (line.clone(), 0)).collect();
    advance::<DB>(conn, &unchanged, terms).await
}

/// What a look at some lines says about them.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// The last line that was looked at; `None` if there are no more.
    pub(crate) last: Option<Line>,
    /// Lines that nothing waits in and nothing was published to for a while.
    pub(crate) idle: Lines,
    /// Lines in which something waits for nothing.
    pub(crate) stuck: Lines,
}

/// Looks at the next lines after `after`.
pub(crate) async fn look<DB: Backend>(
    conn: &mut DB::Connection,
    after: &Line,
    limit: u32,
    idle: i64,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Looked> {
    let values = Values::default().text("key", &*after.0).text("target", &*after.1).int("limit", i64::from(limit)).int("idle", idle);
    let rows = fetch::<DB>(conn, &terms.sql.lines_after, &values, terms.now).await?;
    let mut looked = Looked::default();
    for row in &rows {
        let line = (text::<DB>(row, 0)?, text::<DB>(row, 1)?);
        match &*text::<DB>(row, 2)? {
            "idle" => looked.idle.add(line.clone(), 0),
            "stuck" => looked.stuck.add(line.clone(), 0),
            _ => {}
        }
        looked.last = Some(line);
    }
    if rows.len() < limit as usize {
        looked.last = None;
    }
    Ok(looked)
}

/// Removes those of the locked lines that are still idle.
pub(crate) async fn purge<DB: Backend>(conn: &mut DB::Connection, lines: &Lines, idle: i64, terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    if lines.is_empty() {
        return Ok(0);
    }
    run::<DB>(conn, &terms.sql.purge_lines, &Values::list("line", &lines.list()).int("idle", idle), terms.now).await
}
