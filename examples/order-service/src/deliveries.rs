//! What has become of an order's events: where each of them still has to go, and what was given up.

use events_core::Error;
use events_sqlx::{DeliveryState, DeliveryStatus, WaitingState, sqlite::Outbox};
use serde::Serialize;

/// An event of an order on its way to one target.
#[derive(Debug, Serialize)]
pub(crate) struct Delivery {
    event_id: String,
    topic: String,
    target: String,
    state: &'static str,
    failed_attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

/// The deliveries of an order's events that are not over; what has arrived is in them no more.
pub(crate) async fn of_order(outbox: &Outbox, order_id: i64) -> Result<Vec<Delivery>, Error> {
    let status = outbox.status_of_key(&order_id.to_string()).await?;
    Ok(status.into_iter().map(Delivery::of).collect())
}

impl Delivery {
    fn of(status: DeliveryStatus) -> Self {
        let state = match status.state {
            DeliveryState::Waiting { what: WaitingState::Leased, .. } => "under way",
            DeliveryState::Waiting { what: WaitingState::Key, .. } => "waits for the one before it",
            DeliveryState::Waiting { what: WaitingState::Later, .. } => "waits for its next attempt",
            DeliveryState::Dead { .. } => "given up",
            DeliveryState::Delivered { .. } => "delivered",
            _ => "due",
        };
        Self {
            event_id: status.event.to_string(),
            topic: status.topic,
            target: status.target,
            state,
            failed_attempts: status.attempts,
            last_error: status.last_error,
        }
    }
}
