//! Handlers that are called at most once: that the call begins is written down before it does, as a failure of which nobody knows.

use crate::dispatcher::{Verdict, is_too_new};
use crate::engine::Engine;
use crate::lane::Lane;
use crate::store::DeadReason;
use crate::targets::TargetKind;
use crate::{Delivery, Failure, Lease, Outcome, retry::around};
use std::time::Duration;

/// What stands in the history of a delivery while it is under way.
const BEGUN: &str = "its only call has begun, and how it ended is not written down yet";
/// What stands there for ever if nobody writes down how it ended.
const UNKNOWN: &str = "the call began, and how it ended was never written down: its process died, was stopped, or lost its lease";
/// How soon the database is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

impl Engine {
    /// Writes down that the only call of a delivery begins. Returns a verdict instead if there must be none.
    pub(crate) async fn begin_only_call(&self, lane: &Lane, delivery: &Delivery) -> Option<Verdict> {
        let TargetKind::Handler(handler) = &lane.target.kind else { return None };
        if !handler.is_called_at_most_once() || is_too_new(handler, &delivery.envelope) {
            return None;
        }
        if delivery.has_begun() {
            return Some(Verdict::Settle(Outcome::Dead {
                reason: DeadReason::Interrupted,
                failures: delivery.failures_with(UNKNOWN.to_owned()),
                blocks_key: lane.target.blocks(delivery.envelope.key.as_deref()),
            }));
        }
        let begun = delivery.failures_with_open(BEGUN.to_owned());
        loop {
            match self.remember(delivery.lease, &begun).await {
                Some(true) => return None,
                Some(false) => return Some(Verdict::LeaseLost),
                // It may be written down or not, and writing it twice is as good as once. But a call needs a lease.
                None if self.leases.is_alive(delivery.lease.id) => tokio::time::sleep(around(RETRY_PAUSE)).await,
                None => return Some(Verdict::LeaseLost),
            }
        }
    }

    /// The handler says that nothing happened: it may be called again. If that cannot be written down, it will not be.
    pub(crate) async fn forget_only_call(&self, lane: &Lane, delivery: &Delivery) {
        if let TargetKind::Handler(handler) = &lane.target.kind
            && handler.is_called_at_most_once()
        {
            self.remember(delivery.lease, &delivery.failures).await;
        }
    }

    /// `None` if the database failed.
    async fn remember(&self, mut lease: Lease, failures: &[Failure]) -> Option<bool> {
        self.leases.refresh(std::iter::once(&mut lease));
        match self.bounded("writing down that a call begins", self.store.remember(lease, failures)).await {
            Ok(held) => Some(held),
            Err(error) => {
                self.meter.store_error();
                tracing::warn!(error = error.report(), delivery = %lease.id, "the history of a delivery could not be written");
                None
            }
        }
    }
}
