//! Leases taken by the scanner.

use crate::backend::{Backend, fetch};
use crate::rows::text;
use crate::sqlite::Terms;
use crate::sqlite::leased_row::Reader;
use crate::values::{List, Values};
use events_core::{LeaseRequest, Leased, TargetRequest, millis_of};
use sqlx::{Sqlite, SqlitePool};

pub(crate) async fn due(pool: &SqlitePool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Vec<TargetRequest>> {
    let wanted = List::default().texts("target", request.targets.iter().map(|target| &*target.name));
    let mut conn = pool.acquire().await?;
    let rows = fetch::<Sqlite>(&mut conn, &terms.own.due_targets, &Values::list("wanted", &wanted), terms.now).await?;
    let names = rows.iter().map(|row| text::<Sqlite>(row, 0)).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(request.targets.iter().filter(|target| names.iter().any(|name| **name == *target.name)).cloned().collect())
}

pub(crate) async fn lease(pool: &SqlitePool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
    let mut leased = Leased::default();
    let mut tx = Sqlite::begin(pool, None).await?;
    for target in &request.targets {
        let values = Values::default()
            .text("target", &*target.name)
            .int("most", i64::from(target.limit))
            .id("token", request.token.0)
            .int("lease", millis_of(request.lease));
        let rows = fetch::<Sqlite>(&mut tx, &terms.own.lease, &values, terms.now).await?;
        let mut reader = Reader::new(request.token, &target.name, terms.cipher);
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
