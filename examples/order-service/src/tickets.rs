//! Issues the ticket for a paid order: exactly one, whatever happens.

use crate::{
    clock,
    events::{OrderPaid, TicketIssued},
};
use events_core::{Metadata, after_commit, publish};
use events_sqlx::sqlite::UnitOfWork;

/// Why a ticket could not be issued; the delivery is retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("the ticket could not be written")]
    Database(#[from] sqlx::Error),
    #[error("the ticket could not be announced")]
    Publish(#[from] events_core::Error),
}

/// `uow` is the handler's own unit of work. The ticket, the event that announces it and the settlement of this delivery are
/// committed together, so there is one ticket even if the process dies here and the event comes again.
#[after_commit(attempts = 8, backoff = "50ms..5s", timeout = "10s", concurrency = 4)]
async fn issue_ticket(event: OrderPaid, meta: Metadata, uow: &mut UnitOfWork) -> Result<(), TicketError> {
    let ticket_no = sqlx::query("INSERT INTO tickets (order_id, event_id, payment, occurred_at, issued_at) VALUES (?, ?, ?, ?, ?)")
        .bind(event.order_id)
        .bind(meta.id.to_string())
        .bind(&event.payment)
        .bind(clock::micros(meta.occurred_at))
        .bind(clock::now())
        .execute(uow.conn())
        .await?
        .last_insert_rowid();
    publish(TicketIssued { order_id: event.order_id, ticket_no })?;
    Ok(())
}
