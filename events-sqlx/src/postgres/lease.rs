//! Leases taken by the scanner.

use crate::backend::fetch;
use crate::postgres::Terms;
use crate::rows::leased;
use crate::values::{List, Values};
use events_core::{LeaseRequest, Leased, millis_of};
use sqlx::{PgPool, Postgres};

pub(crate) async fn lease(pool: &PgPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
    let wanted = List::default()
        .texts("target", request.targets.iter().map(|target| &*target.name))
        .ints("most", request.targets.iter().map(|target| i64::from(target.limit)));
    let values = Values::list("wanted", &wanted).id("token", request.token.0).int("lease", millis_of(request.lease));
    // With a long backlog the planner guesses that much is due, and would compile the statement anew at every look. The setting ends with
    // the transaction, so it does not stay behind in a pooler.
    let mut tx = pool.begin_with("BEGIN; SET LOCAL jit = off").await?;
    let rows = fetch::<Postgres>(&mut tx, &terms.own.lease, &values, terms.now).await?;
    tx.commit().await?;
    leased::<Postgres>(&rows, request)
}
