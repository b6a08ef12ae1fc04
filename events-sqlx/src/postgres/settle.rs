//! Writes down what became of deliveries, each on condition of its id and token.

use crate::backend::SettledRows;
use crate::postgres::Terms;
use crate::postgres::rows::arrays;
use crate::rows::{json, last_error};
use crate::settlements::Settlements;
use events_core::{DeadReason, Failure, Lease, Settlement};
use sqlx::postgres::PgConnection;
use sqlx::query;

pub(crate) async fn settle(conn: &mut PgConnection, settlements: &[Settlement], terms: Terms<'_>) -> sqlx::Result<SettledRows> {
    let sorted = Settlements::of(settlements);
    // Before anything else: whoever adds to a key or settles on it takes its lock first, so nobody waits in a circle.
    lock_keys(conn, &sorted.lines, terms).await?;
    let mut settled = 0;
    for (lease, delay, failures) in &sorted.retried {
        settled += retry(conn, *lease, *delay, failures, terms).await?;
    }
    for (lease, reason, failures) in &sorted.dead {
        settled += bury(conn, *lease, *reason, failures, terms).await?;
    }
    if !sorted.delivered.is_empty() {
        settled += finish(conn, &sorted.delivered, terms).await?;
    }
    if !sorted.handed_back.is_empty() {
        settled += hand_back(conn, &sorted.handed_back, terms).await?;
    }
    if settled != settlements.len() as u64 {
        return Ok(SettledRows::SomeLost);
    }
    let freed = if sorted.lines.is_empty() { 0 } else { free(conn, &sorted.lines, terms).await? };
    Ok(SettledRows::All { freed })
}

async fn finish(conn: &mut PgConnection, delivered: &[Lease], terms: Terms<'_>) -> sqlx::Result<u64> {
    let (ids, tokens) = arrays(delivered.iter());
    if terms.archive {
        query(terms.sql.settle_archive.sql()).bind(&ids).bind(&tokens).bind(terms.now).execute(&mut *conn).await?;
    }
    Ok(query(terms.sql.settle_delete.sql()).bind(ids).bind(tokens).execute(conn).await?.rows_affected())
}

async fn hand_back(conn: &mut PgConnection, leases: &[(Lease, i64)], terms: Terms<'_>) -> sqlx::Result<u64> {
    let (ids, tokens) = arrays(leases.iter().map(|(lease, _)| lease));
    let delays: Vec<i64> = leases.iter().map(|(_, delay)| *delay).collect();
    let query = query(terms.sql.settle_hand_back.sql()).bind(ids).bind(tokens).bind(delays).bind(terms.now);
    Ok(query.execute(conn).await?.rows_affected())
}

async fn retry(conn: &mut PgConnection, lease: Lease, delay: i64, failures: &[Failure], terms: Terms<'_>) -> sqlx::Result<u64> {
    Ok(query(terms.sql.settle_retry.sql())
        .bind(lease.id.0)
        .bind(lease.token.0)
        .bind(delay)
        .bind(last_error(failures))
        .bind(json(failures)?)
        .bind(terms.now)
        .execute(conn)
        .await?
        .rows_affected())
}

async fn bury(conn: &mut PgConnection, lease: Lease, reason: DeadReason, failures: &[Failure], terms: Terms<'_>) -> sqlx::Result<u64> {
    query(terms.sql.settle_dead.sql())
        .bind(lease.id.0)
        .bind(lease.token.0)
        .bind(reason.as_str())
        .bind(last_error(failures))
        .bind(json(failures)?)
        .bind(terms.now)
        .execute(&mut *conn)
        .await?;
    let (ids, tokens) = arrays([lease].iter());
    Ok(query(terms.sql.settle_delete.sql()).bind(ids).bind(tokens).execute(conn).await?.rows_affected())
}

/// Makes the heads of `lines` deliverable.
pub(crate) async fn free_keys(conn: &mut PgConnection, lines: &[(&str, &str)], terms: Terms<'_>) -> sqlx::Result<u64> {
    lock_keys(conn, lines, terms).await?;
    free(conn, lines, terms).await
}

async fn lock_keys(conn: &mut PgConnection, lines: &[(&str, &str)], terms: Terms<'_>) -> sqlx::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = lines.iter().map(|(key, _)| (*key).to_owned()).collect();
    query(terms.sql.lock_keys.sql()).bind(keys).execute(conn).await.map(drop)
}

async fn free(conn: &mut PgConnection, lines: &[(&str, &str)], terms: Terms<'_>) -> sqlx::Result<u64> {
    let (keys, targets): (Vec<String>, Vec<String>) = lines.iter().map(|(key, target)| ((*key).to_owned(), (*target).to_owned())).unzip();
    Ok(query(terms.sql.free_keys.sql()).bind(keys).bind(targets).bind(terms.now).execute(conn).await?.rows_affected())
}
