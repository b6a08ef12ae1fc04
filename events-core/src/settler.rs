//! Writes down what became of deliveries, in batches: many settlements, one transaction.

use crate::engine::Engine;
use crate::instrument::{PublishedAt, Stopwatch};
use crate::lane::{Holds, Lane, Source};
use crate::{Settlement, retry::around, spans};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tracing::Instrument;

/// At most so many settlements go into one transaction.
const MAX_BATCH: usize = 1_000;
/// How soon a failed settlement is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// A settlement that waits to be written, with what its delivery holds until then.
pub(crate) struct Pending {
    pub(crate) settlement: Settlement,
    pub(crate) source: Source,
    /// `None` for a row that never became a delivery.
    pub(crate) published: Option<PublishedAt>,
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
        let span = spans::settle(batch.len());
        self.write(batch).instrument(span).await;
        state.last_write = Some(Instant::now());
    }

    /// Writes `batch`, again and again until the database takes it: the deliveries have happened, forgetting them would repeat them.
    async fn write(&self, batch: Vec<Pending>) {
        let watch = Stopwatch::start();
        let (mut settlements, rest): (Vec<Settlement>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.settlement, (pending.source, pending.published, pending.holds))).unzip();
        let report = loop {
            self.leases.refresh(settlements.iter_mut().map(|settlement| &mut settlement.lease));
            match self.bounded("settling deliveries", self.store.settle(&settlements)).await {
                Ok(report) => break report,
                Err(error) => {
                    self.settler_health.failed();
                    self.meter.store_error();
                    tracing::warn!(error = error.report(), deliveries = settlements.len(), "deliveries could not be settled; trying again");
                    tokio::time::sleep(around(RETRY_PAUSE)).await;
                }
            }
        };
        self.settler_health.succeeded();
        self.meter.settled(watch);
        for (settlement, (source, published, holds)) in settlements.iter().zip(&rest) {
            let Some(lane) = self.lane_of(settlement, holds.as_ref()) else { continue };
            if report.lost.contains(&settlement.lease.id) {
                lane.meter.lease_lost();
                tracing::warn!(delivery = %settlement.lease.id, target_name = %settlement.target, "the lease was lost before the delivery was settled");
                continue;
            }
            lane.meter.settled(&settlement.outcome, *source, *published);
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

    /// The lane of a settlement. A row that never became a delivery has none of its own; it was leased for one of ours nevertheless.
    fn lane_of<'a>(&'a self, settlement: &Settlement, holds: Option<&'a Holds>) -> Option<&'a Arc<Lane>> {
        match holds {
            Some(holds) => Some(&holds.room.lane),
            None => self.lane_of.get(&settlement.target).map(|index| &self.lanes[*index]),
        }
    }
}
