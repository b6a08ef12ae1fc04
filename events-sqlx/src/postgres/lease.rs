//! Leases: taken by the scanner, renewed by the heartbeat, lost to others.

use crate::postgres::Terms;
use crate::postgres::rows::{arrays, envelope};
use crate::rows::failures;
use events_core::{Delivery, DeliveryId, Lease, LeaseRequest, Leased, Unreadable, millis_of};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::types::Uuid;
use sqlx::{PgPool, Row, query, query_scalar};
use std::{sync::Arc, time::Duration};

pub(crate) async fn lease(pool: &PgPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
    let (names, limits): (Vec<String>, Vec<i64>) =
        request.targets.iter().map(|target| (target.name.to_string(), i64::from(target.limit))).unzip();
    let rows = query(terms.sql.lease.sql())
        .bind(names)
        .bind(limits)
        .bind(request.token.0)
        .bind(millis_of(request.lease))
        .bind(terms.now)
        .fetch_all(pool)
        .await?;
    let mut leased = Leased::default();
    for row in rows {
        let lease = Lease { id: DeliveryId(row.try_get::<Uuid, _>(0)?), token: request.token };
        let name: &str = row.try_get(13)?;
        let Some(target) = request.targets.iter().find(|target| &*target.name == name) else { continue };
        match delivery(&row, lease, &target.name) {
            Ok(delivery) => leased.deliveries.push(delivery),
            Err(error) => {
                let key = row.try_get(4).unwrap_or_default();
                leased.unreadable.push(Unreadable { lease, target: Arc::clone(&target.name), key, error });
            }
        }
    }
    // RETURNING promises no order; ids are in the order of publishing.
    leased.deliveries.sort_unstable_by_key(|delivery| delivery.lease.id);
    Ok(leased)
}

fn delivery(row: &PgRow, lease: Lease, target: &Arc<str>) -> Result<Delivery, String> {
    let count = |column| row.try_get::<i32, _>(column).ok().and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    Ok(Delivery {
        lease,
        target: Arc::clone(target),
        envelope: Arc::new(envelope(row, 1, 2)?),
        failed: count(10),
        abandoned: count(11),
        failures: failures(row.try_get(12).unwrap_or_default()),
    })
}

pub(crate) async fn renew(pool: &PgPool, leases: &[Lease], lease: Duration, terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
    let (ids, tokens) = arrays(leases.iter());
    let mut conn = pool.acquire().await?;
    let renewed = query(terms.sql.renew.sql())
        .bind(ids)
        .bind(tokens)
        .bind(millis_of(lease))
        .bind(terms.now)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    if renewed == leases.len() as u64 { Ok(Vec::new()) } else { lost(&mut conn, leases, terms).await }
}

pub(crate) async fn lost(conn: &mut PgConnection, leases: &[Lease], terms: Terms<'_>) -> sqlx::Result<Vec<DeliveryId>> {
    let (ids, tokens) = arrays(leases.iter());
    let ids: Vec<Uuid> = query_scalar(terms.sql.lost.sql()).bind(ids).bind(tokens).fetch_all(conn).await?;
    Ok(ids.into_iter().map(DeliveryId).collect())
}
