//! Send, or roll back: the order is sent inside its transaction, in three tries, and if none succeeds there is no order.
//!
//! This turns the risk around. Nothing is committed that was not sent; but what was sent may not be committed, if COMMIT itself fails or the
//! process dies before it. It also keeps a transaction open while a broker is waited for. Where that does not hurt, it spares the customer
//! an order that goes nowhere; everywhere else the outbox is the better way.

use crate::{
    events::{ExpressPlaced, OrderPlaced},
    message,
    status::Status,
};
use events_core::{DeliveryError, Envelope, State, Transport, before_commit};
use events_sqlx::sqlite::UnitOfWork;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// How often an order is sent at most.
const TRIES: u32 = 3;
/// How long it waits after a try that failed. A transaction is open, so it is short.
const PAUSE: Duration = Duration::from_millis(5);
/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The broker, to be asked directly.
#[derive(Clone)]
pub(crate) struct DirectLine {
    pub(crate) broker: Arc<dyn Transport>,
    /// Who sends, as in the events of the outbox.
    pub(crate) source: Arc<str>,
}

/// The broker did not take an order, so it was rolled back.
#[derive(Debug, thiserror::Error)]
#[error("the broker did not take order {order_no} in {TRIES} tries, so it was not placed; place it again. {reason}")]
pub(crate) struct NotSent {
    order_no: String,
    reason: String,
}

/// Runs inside the unit of work that places the order; its error rolls the order back.
#[before_commit]
async fn send_or_roll_back(event: &ExpressPlaced, State(line): State<DirectLine>, uow: &mut UnitOfWork) -> Result<(), DeliveryError> {
    let placed = OrderPlaced { order_no: event.order_no.clone(), quantity: event.quantity };
    // One envelope for all tries: if the broker has taken one whose confirmation was lost, the inbox recognises the next one by its id.
    let envelope = Arc::new(Envelope::seal(&placed, &line.source)?);
    let mut reason = String::new();
    for attempt in 1..=TRIES {
        match timeout(LIMIT, line.broker.send(&[Arc::clone(&envelope)])).await.map(|mut sent| sent.pop()) {
            Ok(Some(Ok(()))) => {
                message::advance(uow.conn(), &event.order_no, Status::Processing).await?;
                return Ok(());
            }
            Ok(Some(Err(error))) => reason = error.report(),
            Ok(None) => reason = "it gave no answer".to_owned(),
            Err(_) => reason = format!("it did not answer within {LIMIT:?}"),
        }
        if attempt < TRIES {
            sleep(PAUSE).await;
        }
    }
    Err(NotSent { order_no: event.order_no.clone(), reason }.into())
}
