//! What becomes of transactions whose events wait at two-phase transports: a row each, which is the answer when a broker asks.

use crate::backend::{Backend, TermsOf, fetch, run};
use crate::values::Values;
use events_core::{Resolution, TransactionId, millis_of};
use std::time::Duration;

/// How long the answers are kept: longer than RocketMQ keeps what it would ask about (72 h, `fileReservedTime`).
const KEEP: Duration = Duration::from_secs(80 * 60 * 60);

/// A broker has asked, and there was no trace of it.
const ASKED: i64 = 0;
const COMMITTED: i64 = 1;

/// Says in a transaction that it commits; `false` if it was given up meanwhile and must roll back.
pub(crate) async fn record<DB: Backend>(
    conn: &mut DB::Connection,
    transaction: TransactionId,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<bool> {
    let values = Values::default().id("tx", transaction.0);
    if run::<DB>(conn, &terms.sql.tx_record, &values, terms.now).await? > 0 {
        return Ok(true);
    }
    Ok(run::<DB>(conn, &terms.sql.tx_claim, &values, terms.now).await? > 0)
}

/// What became of a transaction. One without a trace is noted; `lifetime` later it is given up, which makes [`record`] fail.
pub(crate) async fn resolve<DB: Backend>(
    conn: &mut DB::Connection,
    transaction: TransactionId,
    lifetime: Duration,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Resolution> {
    let this = || Values::default().id("tx", transaction.0);
    let rows = fetch::<DB>(conn, &terms.sql.tx_look, &this().int("lifetime", millis_of(lifetime)), terms.now).await?;
    let Some(row) = rows.first() else {
        run::<DB>(conn, &terms.sql.tx_ask, &this(), terms.now).await?;
        return Ok(Resolution::Unknown);
    };
    Ok(match (DB::int(row, 0)?, DB::int(row, 1)? == Some(1)) {
        (Some(COMMITTED), _) => Resolution::Commit,
        (Some(ASKED), false) => Resolution::Unknown,
        (Some(ASKED), true) => {
            run::<DB>(conn, &terms.sql.tx_give_up, &this(), terms.now).await?;
            Resolution::Rollback
        }
        _ => Resolution::Rollback,
    })
}

/// Removes at most `limit` answers that nobody will ask for any more; returns how many.
pub(crate) async fn purge<DB: Backend>(conn: &mut DB::Connection, limit: u32, terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    let values = Values::default().int("keep", millis_of(KEEP)).int("limit", i64::from(limit));
    run::<DB>(conn, &terms.sql.purge_transactions, &values, terms.now).await
}
