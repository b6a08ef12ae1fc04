//! The events of the shop, and the handlers that only tell.

use super::{Target, Witness};
use events_core::{DeliveryError, Metadata, State, after_commit, domain_event};
use serde::{Deserialize, Serialize};

/// An event without a key.
#[domain_event(topic = "shop.sold", local)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sold {
    /// Which fact.
    pub n: i64,
}

/// Hears of [`Sold`].
#[after_commit(manual)]
pub async fn ring(event: Sold, meta: Metadata, State(witness): State<Witness>) -> Result<(), DeliveryError> {
    witness.tell(Target::Ring, event.n, meta.attempt).await
}

/// An event whose order matters along its key.
#[domain_event(topic = "shop.moved", key = k, local)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// Which fact. Even; the fact that its clerk adds has the next number.
    pub n: i64,
    /// The key.
    pub k: i64,
    /// Whether the clerk who enters it publishes an event with another key.
    pub echoes: bool,
}

/// Hears of [`Moved`].
#[after_commit(manual)]
pub async fn track(event: Moved, meta: Metadata, State(witness): State<Witness>) -> Result<(), DeliveryError> {
    witness.tell(Target::Track, event.n, meta.attempt).await
}
