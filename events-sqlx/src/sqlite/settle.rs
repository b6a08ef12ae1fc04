//! Writes down what became of deliveries, each on condition of its id and token.

use crate::backend::{SettledRows, Terms};
use crate::sqlite::rows::leases_json;
use events_core::{DeadReason, Failure, Lease, Outcome, Settlement, millis_of};
use sqlx::query;
use sqlx::sqlite::SqliteConnection;

pub(crate) async fn settle(conn: &mut SqliteConnection, settlements: &[Settlement], terms: Terms) -> sqlx::Result<SettledRows> {
    let mut settled = 0;
    let mut delivered: Vec<Lease> = Vec::new();
    let mut handed_back: Vec<(Lease, i64)> = Vec::new();
    let mut over: Vec<(&str, &str)> = Vec::new();
    for Settlement { lease, target, key, outcome } in settlements {
        match outcome {
            Outcome::Delivered => delivered.push(*lease),
            Outcome::HandBack { delay } => handed_back.push((*lease, millis_of(*delay))),
            Outcome::Retry { delay, failures } => settled += retry(conn, *lease, millis_of(*delay), failures, terms).await?,
            Outcome::Dead { reason, failures } => settled += bury(conn, *lease, *reason, failures, terms).await?,
        }
        if matches!(outcome, Outcome::Delivered | Outcome::Dead { .. }) {
            over.extend(key.as_deref().map(|key| (key, &**target)));
        }
    }
    if !delivered.is_empty() {
        settled += finish(conn, &delivered, terms).await?;
    }
    if !handed_back.is_empty() {
        settled += hand_back(conn, &handed_back, terms).await?;
    }
    if settled != settlements.len() as u64 {
        return Ok(SettledRows::SomeLost);
    }
    over.sort_unstable();
    over.dedup();
    let freed = if over.is_empty() { 0 } else { free_keys(conn, &over, terms).await? };
    Ok(SettledRows::All { freed })
}

async fn finish(conn: &mut SqliteConnection, delivered: &[Lease], terms: Terms) -> sqlx::Result<u64> {
    let leases = leases_json(delivered.iter());
    if terms.archive {
        query(include_str!("../../sql/sqlite/settle_archive.sql")).bind(&leases).bind(terms.now).execute(&mut *conn).await?;
    }
    Ok(query(include_str!("../../sql/sqlite/settle_delete.sql")).bind(leases).execute(conn).await?.rows_affected())
}

async fn hand_back(conn: &mut SqliteConnection, leases: &[(Lease, i64)], terms: Terms) -> sqlx::Result<u64> {
    let rows: Vec<String> =
        leases.iter().map(|(lease, delay)| format!("[\"{}\",\"{}\",{delay}]", lease.id.0.simple(), lease.token.0.simple())).collect();
    Ok(query(include_str!("../../sql/sqlite/settle_hand_back.sql"))
        .bind(format!("[{}]", rows.join(",")))
        .bind(terms.now)
        .execute(conn)
        .await?
        .rows_affected())
}

async fn retry(conn: &mut SqliteConnection, lease: Lease, delay: i64, failures: &[Failure], terms: Terms) -> sqlx::Result<u64> {
    Ok(query(include_str!("../../sql/sqlite/settle_retry.sql"))
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

async fn bury(conn: &mut SqliteConnection, lease: Lease, reason: DeadReason, failures: &[Failure], terms: Terms) -> sqlx::Result<u64> {
    query(include_str!("../../sql/sqlite/settle_dead.sql"))
        .bind(lease.id.0)
        .bind(lease.token.0)
        .bind(reason.as_str())
        .bind(last_error(failures))
        .bind(json(failures)?)
        .bind(terms.now)
        .execute(&mut *conn)
        .await?;
    Ok(query(include_str!("../../sql/sqlite/settle_delete.sql")).bind(leases_json([lease].iter())).execute(conn).await?.rows_affected())
}

pub(crate) async fn free_keys(conn: &mut SqliteConnection, lines: &[(&str, &str)], terms: Terms) -> sqlx::Result<u64> {
    let lines = serde_json::to_string(lines).map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok(query(include_str!("../../sql/sqlite/free_keys.sql")).bind(lines).bind(terms.now).execute(conn).await?.rows_affected())
}

fn last_error(failures: &[Failure]) -> Option<&str> {
    failures.last().map(|failure| &*failure.error)
}

fn json(failures: &[Failure]) -> sqlx::Result<String> {
    serde_json::to_string(failures).map_err(|error| sqlx::Error::Encode(error.into()))
}
