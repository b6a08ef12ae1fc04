//! Writes down what became of deliveries, in batches, each on condition of its id and token.

use crate::backend::{Backend, TermsOf, fetch, run};
use crate::lines::{self, Lines};
use crate::rows::{json, last_error};
use crate::values::{Column, List, Values};
use events_core::{DeadReason, DeliveryId, Failure, Lease, Outcome, Settlement, millis_of};
use std::time::Duration;

/// What a batch of settlements did.
#[derive(Debug)]
pub(crate) enum Settled {
    /// Every lease held. So many deliveries became deliverable because their key was freed.
    All { freed: u64 },
    /// Some leases were lost; the transaction must be rolled back.
    SomeLost,
}

/// A batch of settlements by outcome. Delays are in milliseconds.
#[derive(Debug, Default)]
struct Sorted<'a> {
    delivered: Vec<Lease>,
    handed_back: Vec<(Lease, i64)>,
    retried: Vec<(Lease, i64, &'a [Failure])>,
    dead: Vec<(Lease, DeadReason, bool, &'a [Failure])>,
    /// The lines in which something is over, each with how many.
    over: Lines,
}

impl<'a> Sorted<'a> {
    fn of(settlements: &'a [Settlement]) -> Self {
        let mut sorted = Self::default();
        for Settlement { lease, target, key, outcome } in settlements {
            let is_over = match outcome {
                Outcome::Delivered => {
                    sorted.delivered.push(*lease);
                    true
                }
                Outcome::HandBack { delay } => {
                    sorted.handed_back.push((*lease, millis_of(*delay)));
                    false
                }
                Outcome::Retry { delay, failures } => {
                    sorted.retried.push((*lease, millis_of(*delay), failures));
                    false
                }
                Outcome::Dead { reason, failures, blocks_key } => {
                    let blocks = *blocks_key && key.is_some();
                    sorted.dead.push((*lease, *reason, blocks, failures));
                    // What blocks its line is still counted in it.
                    !blocks
                }
            };
            if is_over && let Some(key) = key {
                sorted.over.add((key.clone(), target.to_string()), 1);
            }
        }
        // The heartbeat renews in the same order, so the two do not wait for each other in a circle.
        sorted.delivered.sort_unstable_by_key(|lease| lease.id);
        sorted
    }
}

/// Settles a batch.
pub(crate) async fn settle<DB: Backend>(
    conn: &mut DB::Connection,
    settlements: &[Settlement],
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Settled> {
    let sorted = Sorted::of(settlements);
    // Before anything else: whoever adds to a line or settles on it takes its lock first.
    lines::lock::<DB>(conn, &sorted.over, terms).await?;
    let mut settled = 0;
    if !sorted.retried.is_empty() {
        settled += retry::<DB>(conn, &sorted.retried, terms).await?;
    }
    if !sorted.dead.is_empty() {
        settled += bury::<DB>(conn, &sorted.dead, terms).await?;
    }
    if !sorted.delivered.is_empty() {
        settled += finish::<DB>(conn, &sorted.delivered, terms).await?;
    }
    if !sorted.handed_back.is_empty() {
        settled += hand_back::<DB>(conn, &sorted.handed_back, terms).await?;
    }
    if settled != settlements.len() as u64 {
        return Ok(Settled::SomeLost);
    }
    Ok(Settled::All { freed: lines::advance::<DB>(conn, &sorted.over, terms).await? })
}

async fn retry<DB: Backend>(conn: &mut DB::Connection, rows: &[(Lease, i64, &[Failure])], terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    let list = List::leases(rows.iter().map(|(lease, ..)| lease))
        .ints("delay", rows.iter().map(|(_, delay, _)| *delay))
        .column("last_error", last_errors(rows.iter().map(|(.., failures)| *failures)))
        .texts("failures", histories(rows.iter().map(|(.., failures)| *failures))?);
    run::<DB>(conn, &terms.sql.settle_retry, &Values::list("failed", &list), terms.now).await
}

async fn bury<DB: Backend>(
    conn: &mut DB::Connection,
    rows: &[(Lease, DeadReason, bool, &[Failure])],
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<u64> {
    let list = List::leases(rows.iter().map(|(lease, ..)| lease))
        .texts("reason", rows.iter().map(|(_, reason, ..)| reason.as_str()))
        .ints("blocks", rows.iter().map(|(_, _, blocks, _)| i64::from(*blocks)))
        .column("last_error", last_errors(rows.iter().map(|(.., failures)| *failures)))
        .texts("failures", histories(rows.iter().map(|(.., failures)| *failures))?);
    run::<DB>(conn, &terms.sql.settle_dead, &Values::list("dead", &list), terms.now).await?;
    let leases = List::leases(rows.iter().map(|(lease, ..)| lease));
    run::<DB>(conn, &terms.sql.settle_delete, &Values::list("lease", &leases), terms.now).await
}

async fn finish<DB: Backend>(conn: &mut DB::Connection, delivered: &[Lease], terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    let leases = List::leases(delivered);
    let values = Values::list("lease", &leases);
    if terms.archive {
        run::<DB>(conn, &terms.sql.settle_archive, &values, terms.now).await?;
    }
    run::<DB>(conn, &terms.sql.settle_delete, &values, terms.now).await
}

async fn hand_back<DB: Backend>(conn: &mut DB::Connection, rows: &[(Lease, i64)], terms: TermsOf<'_, DB>) -> sqlx::Result<u64> {
    let list = List::leases(rows.iter().map(|(lease, _)| lease)).ints("delay", rows.iter().map(|(_, delay)| *delay));
    run::<DB>(conn, &terms.sql.settle_hand_back, &Values::list("back", &list), terms.now).await
}

fn last_errors<'a>(histories: impl Iterator<Item = &'a [Failure]>) -> Column {
    Column::Texts(histories.map(|failures| last_error(failures).map(str::to_owned)).collect())
}

fn histories<'a>(histories: impl Iterator<Item = &'a [Failure]>) -> sqlx::Result<Vec<String>> {
    histories.map(json).collect()
}

/// Writes the history of a delivery that stays leased; returns whether the lease held.
pub(crate) async fn remember<DB: Backend>(
    conn: &mut DB::Connection,
    lease: Lease,
    failures: &[Failure],
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<bool> {
    let list = List::leases(&[lease])
        .column("last_error", last_errors([failures].into_iter()))
        .texts("failures", histories([failures].into_iter())?);
    Ok(run::<DB>(conn, &terms.sql.remember, &Values::list("remembered", &list), terms.now).await? == 1)
}

/// Extends leases, and returns those that are lost.
pub(crate) async fn renew<DB: Backend>(
    conn: &mut DB::Connection,
    leases: &[Lease],
    lease: Duration,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<DeliveryId>> {
    let mut sorted = leases.to_vec();
    sorted.sort_unstable_by_key(|lease| lease.id);
    let list = List::leases(&sorted);
    let values = Values::list("lease", &list).int("lease_for", millis_of(lease));
    let renewed = run::<DB>(conn, &terms.sql.renew, &values, terms.now).await?;
    if renewed == leases.len() as u64 { Ok(Vec::new()) } else { lost::<DB>(conn, leases, terms).await }
}

/// Which of the leases are lost.
pub(crate) async fn lost<DB: Backend>(
    conn: &mut DB::Connection,
    leases: &[Lease],
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<DeliveryId>> {
    let rows = fetch::<DB>(conn, &terms.sql.lost, &Values::list("lease", &List::leases(leases)), terms.now).await?;
    rows.iter().map(|row| Ok(DeliveryId(DB::id(row, 0)?))).collect()
}
