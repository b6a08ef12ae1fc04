//! A rule that must hold at COMMIT: nobody may have too many unpaid orders.

use crate::events::OrderPlaced;
use events_core::{DeliveryError, before_commit};
use events_sqlx::sqlite::UnitOfWork;

/// How many unpaid orders a customer may have.
pub(crate) const LIMIT: i64 = 20;

/// A customer has too many unpaid orders.
#[derive(Debug, thiserror::Error)]
#[error("customer {customer} would have {unpaid} unpaid orders; the limit is {LIMIT}")]
pub(crate) struct CreditExceeded {
    customer: String,
    unpaid: i64,
}

/// Runs inside the unit of work that places the order; its error rolls the order back.
#[before_commit]
async fn check_credit(event: &OrderPlaced, uow: &mut UnitOfWork) -> Result<(), DeliveryError> {
    let unpaid: i64 = sqlx::query_scalar("SELECT count(*) FROM orders WHERE customer = ? AND status = 'placed'")
        .bind(&event.customer)
        .fetch_one(uow.conn())
        .await?;
    if unpaid > LIMIT {
        return Err(CreditExceeded { customer: event.customer.clone(), unpaid }.into());
    }
    Ok(())
}
