//! Remembers the payments that were rolled back, so that the audit can prove that nothing of them was delivered.

use crate::events::OrderPaid;
use events_core::{State, after_rollback};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// References of payments that never happened.
#[derive(Clone, Default)]
pub(crate) struct DeclinedPayments(Arc<Mutex<HashSet<String>>>);

impl DeclinedPayments {
    pub(crate) fn references(&self) -> HashSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Told in memory, best effort: the event was never stored, so nobody could repeat it.
#[after_rollback]
async fn remember_declined(event: OrderPaid, State(declined): State<DeclinedPayments>) {
    declined.0.lock().unwrap_or_else(PoisonError::into_inner).insert(event.payment);
}
