//! Writes down what became of deliveries, in batches: many settlements, one transaction.

use crate::engine::Engine;
use crate::lane::{Holds, Source};
use crate::stats::count;
use crate::{Outcome, Settlement, retry::around};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};

/// At most so many settlements go into one transaction.
const MAX_BATCH: usize = 1_000;
/// How soon a failed settlement is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// A settlement that waits to be written, with what its delivery holds until then.
pub(crate) struct Pending {
    pub(crate) settlement: Settlement,
    pub(crate) source: Source,
    /// `None` for a row that never became a delivery.
    pub(crate) holds: Option<Holds>,
}

/// The queue of settlements. It is bounded by the room of the deliveries in it.
pub(crate) struct Settler {
    sender: mpsc::UnboundedSender<Pending>,
    state: Mutex<State>,
}

struct State {
    queue: mpsc::UnboundedReceiver<Pending>,
    last_write: Option<Instant>,
}

impl Settler {
    pub(crate) fn new() -> Self {
        let (sender, queue) = mpsc::unbounded_channel();
        Self { sender, state: Mutex::new(State { queue, last_write: None }) }
    }

    pub(crate) fn push(&self, pending: Pending) {
        // The receiver lives as long as the settler itself.
        let _ = self.sender.send(pending);
    }
}

impl Engine {
    /// Waits for settlements and writes one batch of them.
    ///
    /// Under load it lingers until a batch is worth its transaction; when little happens it writes at once.
    pub(crate) async fn settle_next(&self) {
        let mut state = self.settler.state.lock().await;
        let Some(first) = state.queue.recv().await else { return };
        let mut batch = vec![first];
        let full = state.queue.len() + 1 >= MAX_BATCH;
        if !full && let Some(wait) = state.last_write.and_then(|last| self.options.linger.checked_sub(last.elapsed())) {
            tokio::time::sleep(wait).await;
        }
        while batch.len() < MAX_BATCH {
            let Ok(pending) = state.queue.try_recv() else { break };
            batch.push(pending);
        }
        self.write(batch).await;
        state.last_write = Some(Instant::now());
    }

    /// Writes `batch`, again and again until the database takes it: the deliveries have happened, forgetting them would repeat them.
    async fn write(&self, batch: Vec<Pending>) {
        let (mut settlements, rest): (Vec<Settlement>, Vec<(Source, Option<Holds>)>) =
            batch.into_iter().map(|pending| (pending.settlement, (pending.source, pending.holds))).unzip();
        let report = loop {
            self.leases.refresh(settlements.iter_mut().map(|settlement| &mut settlement.lease));
            match self.bounded("settling deliveries", self.store.settle(&settlements)).await {
                Ok(report) => break report,
                Err(error) => {
                    self.settler_health.failed();
                    count(&self.counters.store_errors, 1);
                    tracing::warn!(error = error.report(), deliveries = settlements.len(), "deliveries could not be settled; trying again");
                    tokio::time::sleep(around(RETRY_PAUSE)).await;
                }
            }
        };
        self.settler_health.succeeded();
        count(&self.counters.lease_lost, report.lost.len());
        for (settlement, (source, _)) in settlements.iter().zip(&rest) {
            if report.lost.contains(&settlement.lease.id) {
                tracing::warn!(delivery = %settlement.lease.id, target_name = %settlement.target, "the lease was lost before the delivery was settled");
                continue;
            }
            let counter = match (&settlement.outcome, source) {
                (Outcome::Delivered, Source::Memory) => &self.counters.delivered_from_memory,
                (Outcome::Delivered, Source::Scanner) => &self.counters.delivered_by_scanner,
                (Outcome::Retry { .. }, _) => &self.counters.retried,
                (Outcome::HandBack { .. }, _) => &self.counters.handed_back,
                (Outcome::Dead { .. }, _) => &self.counters.dead,
            };
            count(counter, 1);
        }
        // Room and leases are given back before the scanner looks for more.
        drop(rest);
        // A scanner that found no room left before this batch was written would otherwise sleep until its next poll.
        if report.freed > 0 {
            self.look();
        } else if self.lanes.iter().any(|lane| lane.is_low()) {
            self.wake.notify_one();
        }
    }
}
