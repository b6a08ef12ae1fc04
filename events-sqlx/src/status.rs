//! What has become of an event, and how one is taken back that is not due yet.

use crate::WaitingState;
use crate::backend::{Backend, TermsOf, fetch, run};
use crate::lines::{self, Lines};
use crate::rows::{count, text};
use crate::statements::Statement;
use crate::values::{List, Values};
use events_core::{DeliveryId, EventId};
use time::OffsetDateTime;

/// What has become of an event on its way to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryStatus {
    /// The delivery.
    pub id: DeliveryId,
    /// The event.
    pub event: EventId,
    /// The kind of fact.
    pub topic: String,
    /// Where it goes, or went.
    pub target: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// How many attempts have failed.
    pub attempts: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// How far a delivery has come. Times are those of the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryState {
    /// It waits, or is under way.
    Waiting {
        /// For what.
        what: WaitingState,
        /// Until when; `None` while it waits for an earlier one of its key.
        until: Option<OffsetDateTime>,
    },
    /// It was given up.
    Dead {
        /// Why: `exhausted`, `terminal`, `undecodable` or `abandoned`.
        reason: String,
        /// When.
        at: OffsetDateTime,
    },
    /// It has arrived, and the archive remembers it.
    Delivered {
        /// When.
        at: OffsetDateTime,
    },
}

/// Which events are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Identity<'a> {
    Event(EventId),
    Key(&'a str),
}

pub(crate) async fn of<DB: Backend>(
    conn: &mut DB::Connection,
    identity: Identity<'_>,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<DeliveryStatus>> {
    let rows = match identity {
        Identity::Event(event) => fetch::<DB>(conn, &terms.sql.status, &deliveries_of(event), terms.now).await?,
        Identity::Key(key) => fetch::<DB>(conn, &terms.sql.status_of_key, &Values::default().text("key", key), terms.now).await?,
    };
    rows.iter().map(read::<DB>).collect()
}

fn read<DB: Backend>(row: &DB::Row) -> sqlx::Result<DeliveryStatus> {
    let at = DB::time(row, 5)?;
    let since = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let state = match &*text::<DB>(row, 4)? {
        "dead" => DeliveryState::Dead { reason: text::<DB>(row, 7)?, at: since },
        "delivered" => DeliveryState::Delivered { at: since },
        waiting => DeliveryState::Waiting { what: WaitingState::named(waiting), until: at },
    };
    Ok(DeliveryStatus {
        id: DeliveryId(DB::id(row, 0)?),
        event: EventId(DB::id(row, 1)?),
        topic: text::<DB>(row, 3)?,
        target: text::<DB>(row, 2)?,
        state,
        attempts: count::<DB>(row, 6)?,
        last_error: DB::text(row, 8)?.map(str::to_owned),
    })
}

/// Deletes the deliveries of an event that is not due yet; whether there were any.
pub(crate) async fn cancel<DB: Backend>(conn: &mut DB::Connection, event: EventId, terms: TermsOf<'_, DB>) -> sqlx::Result<bool> {
    // The locks of lines come first, as everywhere; so a look without locks tells which.
    let lines: Lines = cancellable::<DB>(conn, event, &terms.sql.cancellable, terms).await?.1;
    lines::lock::<DB>(conn, &lines, terms).await?;
    let (ids, lines) = cancellable::<DB>(conn, event, &terms.sql.cancellable_locked, terms).await?;
    if ids.is_empty() {
        return Ok(false);
    }
    run::<DB>(conn, &terms.sql.cancel, &Values::list("delivery", &List::deliveries(&ids)), terms.now).await?;
    lines::advance::<DB>(conn, &lines, terms).await?;
    Ok(true)
}

/// The deliveries that can be cancelled, and their lines.
async fn cancellable<DB: Backend>(
    conn: &mut DB::Connection,
    event: EventId,
    statement: &Statement,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<(Vec<DeliveryId>, Lines)> {
    let (mut ids, mut lines) = (Vec::new(), Lines::default());
    for row in &fetch::<DB>(conn, statement, &deliveries_of(event), terms.now).await? {
        ids.push(DeliveryId(DB::id(row, 0)?));
        if let Some(key) = DB::text(row, 1)? {
            lines.add((key.to_owned(), text::<DB>(row, 2)?), 1);
        }
    }
    Ok((ids, lines))
}

fn deliveries_of(event: EventId) -> Values<'static> {
    let (first, last) = event.deliveries();
    Values::default().id("first", first.0).id("last", last.0).id("event", event.0)
}
