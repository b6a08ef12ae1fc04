//! Leases taken by the scanner.

use crate::backend::{Backend, fetch};
use crate::postgres::Terms;
use crate::rows::leased;
use crate::values::{Column, List, Values};
use events_core::{LeaseRequest, Leased, millis_of};
use sqlx::{PgPool, Postgres};

pub(crate) async fn lease(pool: &PgPool, request: &LeaseRequest, terms: Terms<'_>) -> sqlx::Result<Leased> {
    let wanted = List::default()
        .texts("target", request.targets.iter().map(|target| &*target.name))
        .ints("most", request.targets.iter().map(|target| i64::from(target.limit)))
        .column("within", Column::Ints(request.targets.iter().map(|target| target.within.map(millis_of)).collect()));
    let values = Values::list("wanted", &wanted).id("token", request.token.0).int("lease", millis_of(request.lease));
    let mut tx = Postgres::begin_own(pool).await?;
    let rows = fetch::<Postgres>(&mut tx, &terms.own.lease, &values, terms.now).await?;
    tx.commit().await?;
    leased::<Postgres>(&rows, request, terms)
}
