//! Leases: taken by the scanner, renewed by the heartbeat, lost to others.

use crate::backend::Backend;
use crate::sqlite::Terms;
use crate::sqlite::leased_row::Reader;
use crate::sqlite::rows::{leases_json, names_json};
use events_core::{DeliveryId, Lease, LeaseRequest, Leased, TargetRequest, millis_of};
use sqlx::sqlite::SqliteConnection;
use sqlx::types::Uuid;
use sqlx::{Sqlite, SqlitePool, query, query_scalar};
use std::time::Duration;

pub(crate) async fn due(pool: &SqlitePool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Vec<TargetRequest>> {
    let names: Vec<String> = query_scalar(terms.sql.due_targets.sql())
        .bind(names_json(request.targets.iter().map(|target| &*target.name)))
        .bind(terms.now)
        .fetch_all(pool)
        .await?;
    Ok(request.targets.iter().filter(|target| names.iter().any(|name| **name == *target.name)).cloned().collect())
}

pub(crate) async fn lease(pool: &SqlitePool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
    let mut leased = Leased::default();
    let mut tx = Sqlite::begin(pool).await?;
    for target in &request.targets {
        let rows = query(terms.sql.lease.sql())
            .bind(&*target.name)
            .bind(target.limit)
            .bind(request.token.0)
            .bind(millis_of(request.lease))
            .bind(terms.now)
            .fetch_all(&mut *tx)
            .await?;
        let mut reader = Reader::new(request.token, &target.name);
        for row in rows {
            match reader.delivery(&row) {
                Ok(delivery) => leased.deliveries.push(delivery),
                Err(Some(unreadable)) => leased.unreadable.push(unreadable),
                // Without an id nothing can be said about the row; STRICT tables cannot hold such a one.
                Err(None) => tracing::error!(target_name = %target.name, "a delivery has an id that is no UUID"),
            }
        }
    }
    tx.commit().await?;
    // RETURNING promises no order; ids are in the order of publishing.
    leased.deliveries.sort_unstable_by_key(|delivery| delivery.lease.id);
    Ok(leased)
}

pub(crate) async fn renew(pool: &SqlitePool, leases: &[Lease], lease: Duration, terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
    let json = leases_json(leases.iter());
    let mut conn = pool.acquire().await?;
    let renewed =
        query(terms.sql.renew.sql()).bind(&json).bind(millis_of(lease)).bind(terms.now).execute(&mut *conn).await?.rows_affected();
    if renewed == leases.len() as u64 { Ok(Vec::new()) } else { lost_of(&mut conn, json, terms).await }
}

pub(crate) async fn lost(conn: &mut SqliteConnection, leases: &[Lease], terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
    lost_of(conn, leases_json(leases.iter()), terms).await
}

async fn lost_of(conn: &mut SqliteConnection, leases: String, terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
    let ids: Vec<Uuid> = query_scalar(terms.sql.lost.sql()).bind(leases).fetch_all(conn).await?;
    Ok(ids.into_iter().map(DeliveryId).collect())
}
