//! Finds deliveries and dead letters a page at a time. Each look reads a bounded number of rows, whatever the filter and however long the
//! table, and says where the next one begins.

use crate::backend::{Backend, TermsOf, fetch};
use crate::deliveries::{Filter, WaitingState};
use crate::statements::Statement;
use crate::values::Values;
use events_core::DeliveryId;
use std::{fmt, str::FromStr};
use time::OffsetDateTime;
use uuid::Uuid;

/// How many rows a look with a filter reads at most.
const WINDOW: u32 = 10_000;
/// The latest time that every database knows, in microseconds: the end of the year 9999.
const LATEST: i64 = 253_402_300_799_999_999;

/// Where the next page begins. As text it fits into a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Microseconds after the Unix epoch, where rows stand in the order of a time.
    at: i64,
    id: Uuid,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.id.simple())
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (at, id) = text.split_once('.')?;
            Some(Self { at: at.parse().ok().filter(|at| (0..=LATEST).contains(at))?, id: id.parse().ok()? })
        };
        read().ok_or("a page begins with a number, a dot and an id, as the page before says it")
    }
}

/// A page of rows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins, if there may be one. A page may be empty and not the last: its filter took nothing of what was looked at.
    pub next: Option<Cursor>,
    /// How many rows were looked at.
    pub looked: usize,
}

/// In which order dead letters come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Those that died first.
    OldestFirst,
    /// Those that died last.
    NewestFirst,
}

/// What a look found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) ids: Vec<DeliveryId>,
    pub(crate) next: Option<Cursor>,
    pub(crate) looked: usize,
}

/// Finds deliveries that wait.
pub(crate) async fn waiting<DB: Backend>(
    conn: &mut DB::Connection,
    filter: &Filter,
    after: Option<Cursor>,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Found> {
    let sql = terms.sql;
    let start = after.unwrap_or(Cursor { at: 0, id: Uuid::nil() });
    let window = window(filter);
    let (first, last) = filter.id_range();
    let values = filtered(filter).id("after", start.id).id("first", first).id("last", last).int("window", i64::from(window));
    let statement = match (&filter.key, &filter.target, filter.state) {
        // The order of a key's deliveries is not that of a cursor: there is one page.
        (Some(_), ..) if after.is_some() => return Ok(Found::default()),
        (Some(_), ..) if filter.ids.is_none() => {
            let found = look::<DB>(conn, &sql.page_of_key, &values, (filter, window), terms).await?;
            return Ok(Found { next: None, ..found });
        }
        (None, Some(_), Some(state)) if state != WaitingState::Key && filter.ids.is_none() => {
            let now = now::<DB>(conn, terms).await?;
            let (from, until) = if state == WaitingState::Due { (start.at, now) } else { (start.at.max(now), LATEST) };
            let values = values.int("from", from).int("until", until);
            return look::<DB>(conn, &sql.page_of_target, &values, (filter, window), terms).await;
        }
        _ => &sql.page_waiting,
    };
    look::<DB>(conn, statement, &values, (filter, window), terms).await
}

/// Finds dead letters.
pub(crate) async fn dead<DB: Backend>(
    conn: &mut DB::Connection,
    filter: &Filter,
    (order, after): (Order, Option<Cursor>),
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Found> {
    let window = window(filter);
    let (since, until) = (filter.since.map_or(0, micros), filter.until.map_or(LATEST, micros));
    let values = filtered(filter).int("window", i64::from(window));
    let (statement, values) = if let Some((first, last)) = filter.ids {
        if after.is_some() {
            return Ok(Found::default());
        }
        (&terms.sql.dead_of_event, values.id("first", first.0).id("last", last.0))
    } else {
        match order {
            Order::OldestFirst => {
                let after = after.unwrap_or(Cursor { at: since, id: Uuid::nil() });
                (&terms.sql.page_dead, values.int("from", after.at).int("until", until).id("after", after.id))
            }
            Order::NewestFirst => {
                let after = after.unwrap_or(Cursor { at: until, id: Uuid::max() });
                (&terms.sql.page_dead_newest, values.int("from", since).int("until", after.at).id("after", after.id))
            }
        }
    };
    look::<DB>(conn, statement, &values, (filter, window), terms).await
}

/// Reads a window: ids, times and whether they are meant.
async fn look<DB: Backend>(
    conn: &mut DB::Connection,
    statement: &Statement,
    values: &Values<'_>,
    (filter, window): (&Filter, u32),
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Found> {
    let rows = fetch::<DB>(conn, statement, values, terms.now).await?;
    let mut found = Found::default();
    let mut last = None;
    for row in &rows {
        if found.ids.len() >= filter.limit as usize {
            found.next = last;
            return Ok(found);
        }
        let id = DB::id(row, 0)?;
        last = Some(Cursor { at: DB::int(row, 1)?.unwrap_or(0), id });
        found.looked += 1;
        if DB::int(row, 2)? == Some(1) {
            found.ids.push(DeliveryId(id));
        }
    }
    if rows.len() >= window as usize {
        found.next = last;
    }
    Ok(found)
}

/// What time it is, in microseconds.
pub(crate) async fn now<DB: Backend>(conn: &mut DB::Connection, terms: TermsOf<'_, DB>) -> sqlx::Result<i64> {
    let rows = fetch::<DB>(conn, &terms.sql.clock, &Values::default(), terms.now).await?;
    Ok(rows.first().map(|row| DB::int(row, 0)).transpose()?.flatten().unwrap_or(0))
}

/// A page without a filter reads one row more than it shows, to know whether there is another.
fn window(filter: &Filter) -> u32 {
    let Filter { ids, target, topic, key, state, reason, error, limit, since: _, until: _ } = filter;
    let texts = [target, topic, key, reason, error];
    let plain = ids.is_none() && state.is_none() && texts.iter().all(|text| text.is_none());
    if plain { limit.saturating_add(1) } else { WINDOW.max(limit.saturating_add(1)) }
}

fn filtered(filter: &Filter) -> Values<'_> {
    Values::default()
        .text("target", filter.target.as_deref())
        .text("topic", filter.topic.as_deref())
        .text("key", filter.key.as_deref())
        .text("state", filter.state.map(WaitingState::as_str))
        .text("reason", filter.reason.as_deref())
        .text("error", filter.error.as_deref())
}

fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(LATEST).clamp(0, LATEST)
}

impl Filter {
    /// Between which ids the deliveries lie: an id begins with the time of publishing.
    fn id_range(&self) -> (Uuid, Uuid) {
        let millis = |time: OffsetDateTime| u128::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(0) << 80;
        let first = self.since.map_or(0, millis);
        let last = self.until.map_or(u128::MAX, |until| millis(until) | (u128::MAX >> 48));
        let (low, high) = self.ids.map_or((0, u128::MAX), |(low, high)| (low.0.as_u128(), high.0.as_u128()));
        (Uuid::from_u128(first.max(low)), Uuid::from_u128(last.min(high)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_a_url_and_nothing_else_passes_for_one() {
        let cursor = Cursor { at: 1_764_000_000_000_000, id: Uuid::now_v7() };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in
            ["", ".", "1", "1.x", "-1.00000000000000000000000000000000", "9999999999999999999.0", "1.00000000000000000000000000000000'"]
        {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_become_ids_that_enclose_what_was_published_then() {
        let id = DeliveryId::now();
        let millis = i128::try_from(id.0.as_u128() >> 80).unwrap();
        let time = |millis: i128| OffsetDateTime::from_unix_timestamp_nanos(millis * 1_000_000).unwrap();
        let takes = |filter: Filter| (filter.id_range().0..=filter.id_range().1).contains(&id.0);
        assert!(takes(Filter::all()) && takes(Filter::all().since(time(millis)).until(time(millis))));
        assert!(!takes(Filter::all().since(time(millis + 1))) && !takes(Filter::all().until(time(millis - 1))));
        assert!(takes(Filter::id(id)) && !takes(Filter::id(DeliveryId::now())));
    }
}
