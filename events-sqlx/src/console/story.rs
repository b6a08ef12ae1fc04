//! Everything that the database knows about one event.

use crate::backend::{Backend, TermsOf, fetch};
use crate::pages::{self, Order};
use crate::rows::{envelope, text};
use crate::values::Values;
use crate::{DeadLetter, Filter, Waiting, inspect};
use events_core::{DeliveryId, Envelope, EventId};
use time::OffsetDateTime;

/// At most so many deliveries does an event have: one of each target.
const MAX_TARGETS: u32 = 1_024;

/// Everything that the database knows about one event. What was delivered is only known to an archive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Story {
    /// The event.
    pub event: EventId,
    /// Its deliveries that wait.
    pub waiting: Vec<Waiting>,
    /// Its deliveries that were given up.
    pub dead: Vec<DeadLetter>,
    /// Its deliveries that arrived, if the archive keeps them.
    pub delivered: Vec<Delivered>,
}

/// A delivery that arrived, as the archive remembers it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivered {
    /// The delivery.
    pub id: DeliveryId,
    /// Where it went.
    pub target: String,
    /// The event; `Err` says why the row cannot be read.
    pub envelope: Result<Envelope, String>,
    /// When it was settled, by the database's clock.
    pub at: OffsetDateTime,
}

impl Story {
    /// Whether there is no trace of the event: it was never published, has rolled back, or was delivered everywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.dead.is_empty() && self.delivered.is_empty()
    }

    /// The event itself, from the first row that can be read.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        let waiting = self.waiting.iter().map(|row| &row.envelope);
        let dead = self.dead.iter().map(|row| &row.envelope);
        let delivered = self.delivered.iter().map(|row| &row.envelope);
        waiting.chain(dead).chain(delivered).find_map(|envelope| envelope.as_ref().ok())
    }
}

pub(crate) async fn of<DB: Backend>(conn: &mut DB::Connection, event: EventId, terms: TermsOf<'_, DB>) -> sqlx::Result<Story> {
    let filter = Filter::event(event).limit(MAX_TARGETS);
    let found = pages::waiting::<DB>(conn, &filter, None, terms).await?;
    let waiting = inspect::waiting_by_ids::<DB>(conn, &found.ids, terms).await?;
    let found = pages::dead::<DB>(conn, &filter, (Order::OldestFirst, None), terms).await?;
    let dead = inspect::dead_by_ids::<DB>(conn, &found.ids, terms).await?;
    let (first, last) = event.deliveries();
    let values = Values::default().id("first", first.0).id("last", last.0);
    let rows = fetch::<DB>(conn, &terms.sql.archived, &values, terms.now).await?;
    let read = |row: &DB::Row| {
        Ok(Delivered {
            id: DeliveryId(DB::id(row, 0)?),
            target: text::<DB>(row, 2)?,
            envelope: envelope::<DB>(row, terms),
            at: DB::time(row, 11)?.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        })
    };
    Ok(Story { event, waiting, dead, delivered: rows.iter().map(read).collect::<sqlx::Result<_>>()? })
}
