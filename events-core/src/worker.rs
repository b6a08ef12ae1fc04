//! The workers of a lane: take deliveries to their target and act on the verdict.

use crate::dispatcher::{Verdict, call_handler, send_batch};
use crate::engine::Engine;
use crate::instrument::PublishedAt;
use crate::lane::{InFlight, Lane};
use crate::targets::TargetKind;
use crate::{Delivery, Outcome};
use std::sync::{Arc, Weak};
use std::time::Duration;

impl Engine {
    /// A worker of one lane: delivers until nothing waits, and when it is called again. While idle it does not keep the engine.
    pub(crate) async fn work(engine: Weak<Self>, lane: Arc<Lane>) {
        while let Some(engine) = engine.upgrade() {
            engine.work_off(&lane).await;
            drop(engine);
            lane.called().await;
        }
    }

    /// Delivers until nothing waits.
    async fn work_off(&self, lane: &Lane) {
        loop {
            let (mut batch, low) = lane.pop();
            if low {
                self.wake.notify_one();
            }
            if batch.is_empty() {
                return;
            }
            // Another process may have what is expired: starting it now could deliver it twice.
            batch.retain(|flight| self.is_leased(lane, flight));
            if batch.is_empty() {
                continue;
            }
            let guard = Running { engine: self, flights: batch };
            let verdicts = self.deliver_stored(lane, &guard.flights).await;
            let flights = guard.finish();
            for (flight, verdict) in flights.into_iter().zip(verdicts) {
                self.conclude(lane, flight, verdict);
            }
        }
    }

    /// Whether a delivery may still begin.
    fn is_leased(&self, lane: &Lane, flight: &InFlight) -> bool {
        let alive = self.leases.is_alive(flight.delivery.lease.id);
        if !alive {
            tracing::warn!(delivery = %flight.delivery.lease.id, "the lease was lost before the delivery began");
            lane.meter.lease_lost();
        }
        alive
    }

    /// As [`deliver`](Self::deliver); and what must not be called twice is written down first.
    async fn deliver_stored(&self, lane: &Lane, flights: &[InFlight]) -> Vec<Verdict> {
        // Handlers have batches of one.
        if let [InFlight { delivery, .. }] = flights
            && let Some(verdict) = self.begin_only_call(lane, delivery).await
        {
            return vec![verdict];
        }
        let verdicts = self.deliver(lane, flights.iter().map(|flight| &flight.delivery)).await;
        if let ([Verdict::Unavailable(_)], [InFlight { delivery, .. }]) = (&*verdicts, flights) {
            self.forget_only_call(lane, delivery).await;
        }
        verdicts
    }

    /// Takes deliveries of one lane to its target; one verdict each.
    pub(crate) async fn deliver(&self, lane: &Lane, batch: impl Iterator<Item = &Delivery> + Send) -> Vec<Verdict> {
        match &lane.target.kind {
            TargetKind::Handler(handler) => {
                let mut verdicts = Vec::with_capacity(1);
                for delivery in batch {
                    let store = &*self.store;
                    verdicts.push(call_handler(&self.registry, store, lane, handler, delivery).await);
                }
                verdicts
            }
            TargetKind::Transport(transport) => send_batch(lane, &**transport, &batch.collect::<Vec<_>>()).await,
        }
    }

    /// Acts on a verdict.
    fn conclude(&self, lane: &Lane, flight: InFlight, verdict: Verdict) {
        let delivery = &flight.delivery;
        let answered = || {
            if lane.answered() {
                tracing::info!(target_name = %lane.target.name, "the target is back");
                self.wake.notify_one();
            }
        };
        match verdict {
            Verdict::Settle(outcome) => {
                answered();
                match &outcome {
                    Outcome::Retry { delay, failures } => tracing::warn!(
                        target_name = %delivery.target, topic = %delivery.envelope.topic, event = %delivery.envelope.id,
                        attempt = delivery.failed + 1, ?delay, error = failures.last().map(|failure| &*failure.error),
                        "a delivery failed; it will be retried"
                    ),
                    Outcome::Dead { reason, failures, blocks_key } => tracing::error!(
                        target_name = %delivery.target, topic = %delivery.envelope.topic, event = %delivery.envelope.id,
                        reason = reason.as_str(), blocks_key, error = failures.last().map(|failure| &*failure.error),
                        "a delivery goes to the dead letters"
                    ),
                    _ => {}
                }
                self.settle(flight, outcome);
            }
            Verdict::Settled { freed } => {
                answered();
                self.latencies.count(delivery.envelope.occurred_at);
                lane.meter.delivered(flight.source, Some(PublishedAt::of(&delivery.envelope)));
                if freed > 0 {
                    self.look();
                }
            }
            Verdict::LeaseLost => lane.meter.lease_lost(),
            // The lease is no longer renewed: if the delivery was not settled, it comes again.
            Verdict::Unknown => {}
            Verdict::Unavailable(error) => {
                if let Some((pause, waiting)) = lane.pause() {
                    tracing::warn!(target_name = %lane.target.name, %error, ?pause, "the target is unavailable; it is paused");
                    self.hand_back(waiting);
                }
                self.settle(flight, Outcome::HandBack { delay: Duration::ZERO });
            }
        }
    }
}

/// Deliveries under way. If their worker is aborted they are given back.
struct Running<'a> {
    engine: &'a Engine,
    flights: Vec<InFlight>,
}

impl Running<'_> {
    fn finish(mut self) -> Vec<InFlight> {
        std::mem::take(&mut self.flights)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.engine.hand_back(std::mem::take(&mut self.flights));
    }
}
