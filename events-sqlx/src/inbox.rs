//! What was received and handled: a row per handler and event, written in the transaction of the effect.

use crate::backend::{Backend, TermsOf, run};
use crate::values::Values;
use events_core::{Receipt, millis_of};
use std::time::Duration;

/// How long the inbox remembers unless the builder says otherwise.
pub(crate) const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Writes a receipt; `false` if it is there already. Waits for another transaction that is writing the same one.
pub(crate) async fn insert<DB: Backend>(conn: &mut DB::Connection, receipt: &Receipt<'_>, terms: TermsOf<'_, DB>) -> sqlx::Result<bool> {
    let values = Values::default().text("consumer", receipt.consumer).id("event", receipt.event.0);
    Ok(run::<DB>(conn, &terms.sql.inbox_insert, &values, terms.now).await? > 0)
}

/// Removes at most `limit` receipts that are older than `keep`; returns how many.
pub(crate) async fn purge<DB: Backend>(conn: &mut DB::Connection, keep: Duration, limit: u32, terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    let values = Values::default().int("keep", millis_of(keep)).int("limit", i64::from(limit));
    run::<DB>(conn, &terms.sql.purge_inbox, &values, terms.now).await
}
