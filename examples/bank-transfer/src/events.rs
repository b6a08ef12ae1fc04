//! What the banks tell each other. The key is the account that the receiver will change, so that an account's events reach it in the order in
//! which they were committed, one at a time.

use events_core::domain_event;
use serde::{Deserialize, Serialize};

/// bank1 has taken the money from an account, and asks bank2 to put it into another one.
#[domain_event(topic = "transfer.requested", key = to_account)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TransferRequested {
    pub(crate) transfer_id: i64,
    pub(crate) from_account: i64,
    pub(crate) to_account: i64,
    pub(crate) amount_cents: i64,
}

/// bank2 has put the money into the account.
#[domain_event(topic = "transfer.completed", key = from_account)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TransferCompleted {
    pub(crate) transfer_id: i64,
    pub(crate) from_account: i64,
}

/// bank2 cannot take the money; bank1 gives it back.
#[domain_event(topic = "transfer.rejected", key = from_account)]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TransferRejected {
    pub(crate) transfer_id: i64,
    pub(crate) from_account: i64,
    pub(crate) reason: String,
}
