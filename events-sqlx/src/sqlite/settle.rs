//! Writes down what became of deliveries, each on condition of its id and token.

use crate::backend::SettledRows;
use crate::rows::{json, last_error};
use crate::settlements::Settlements;
use crate::sqlite::Terms;
use crate::sqlite::rows::leases_json;
use events_core::{DeadReason, Failure, Lease, Settlement};
use sqlx::query;
use sqlx::sqlite::SqliteConnection;

pub(crate) async fn settle(conn: &mut SqliteConnection, settlements: &[Settlement], terms: Terms<'_>) -> sqlx::Result<SettledRows> {
    let sorted = Settlements::of(settlements);
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
    let freed = if sorted.lines.is_empty() { 0 } else { free_keys(conn, &sorted.lines, terms).await? };
    Ok(SettledRows::All { freed })
}

async fn finish(conn: &mut SqliteConnection, delivered: &[Lease], terms: Terms<'_>) -> sqlx::Result<u64> {
    let leases = leases_json(delivered.iter());
    if terms.archive {
        query(terms.sql.settle_archive.sql()).bind(&leases).bind(terms.now).execute(&mut *conn).await?;
    }
    Ok(query(terms.sql.settle_delete.sql()).bind(leases).execute(conn).await?.rows_affected())
}

async fn hand_back(conn: &mut SqliteConnection, leases: &[(Lease, i64)], terms: Terms<'_>) -> sqlx::Result<u64> {
    let rows: Vec<String> =
        leases.iter().map(|(lease, delay)| format!("[\"{}\",\"{}\",{delay}]", lease.id.0.simple(), lease.token.0.simple())).collect();
    Ok(query(terms.sql.settle_hand_back.sql()).bind(format!("[{}]", rows.join(","))).bind(terms.now).execute(conn).await?.rows_affected())
}

async fn retry(conn: &mut SqliteConnection, lease: Lease, delay: i64, failures: &[Failure], terms: Terms<'_>) -> sqlx::Result<u64> {
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

async fn bury(conn: &mut SqliteConnection, lease: Lease, reason: DeadReason, failures: &[Failure], terms: Terms<'_>) -> sqlx::Result<u64> {
    query(terms.sql.settle_dead.sql())
        .bind(lease.id.0)
        .bind(lease.token.0)
        .bind(reason.as_str())
        .bind(last_error(failures))
        .bind(json(failures)?)
        .bind(terms.now)
        .execute(&mut *conn)
        .await?;
    Ok(query(terms.sql.settle_delete.sql()).bind(leases_json([lease].iter())).execute(conn).await?.rows_affected())
}

pub(crate) async fn free_keys(conn: &mut SqliteConnection, lines: &[(&str, &str)], terms: Terms<'_>) -> sqlx::Result<u64> {
    let lines = serde_json::to_string(lines).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(query(terms.sql.free_keys.sql()).bind(lines).bind(terms.now).execute(conn).await?.rows_affected())
}
