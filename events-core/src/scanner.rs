//! The compensation: finds due deliveries, leases them and feeds the relay. Polling is the truth; wake-ups only make it sooner.

use crate::engine::Engine;
use crate::lane::{Holds, InFlight, Source};
use crate::settler::Pending;
use crate::store::{DeadReason, Failure, Leased};
use crate::{Delivery, Error, LeaseRequest, LeaseToken, Outcome, Settlement, TargetRequest, pace::Pace};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// How long a delivery waits for a process that has the key of its payload.
const MISSING_KEY_DELAY: Duration = Duration::from_secs(30);

/// What a turn of the scanner was.
enum Turn {
    /// It looked, and leased so many.
    Looked(usize),
    /// Another process leads.
    StoodBy,
}

impl Engine {
    pub(crate) async fn scan_for_ever(self: Arc<Self>) {
        let mut pace = Pace::new(self.options.poll);
        while !self.is_closing() {
            let found = match self.scan_in_turn().await {
                Ok(Turn::Looked(found)) => found > 0,
                Ok(Turn::StoodBy) => {
                    // What wakes a scanner is no reason to ask more often who leads.
                    tokio::time::sleep(pace.standing_by()).await;
                    continue;
                }
                Err(error) => {
                    self.scanner_health.failed();
                    self.meter.store_error();
                    tracing::warn!(error = error.report(), "the scanner failed; it looks again");
                    false
                }
            };
            // A timeout is the normal case: nothing woke the scanner, so it looks by itself.
            let _ = tokio::time::timeout(pace.after(found), self.wake.notified()).await;
        }
        self.resign(&self.scanner_lead).await;
    }

    /// Scans, unless scanners are exclusive and another process leads them.
    async fn scan_in_turn(self: &Arc<Self>) -> Result<Turn, Error> {
        let leads = !self.options.exclusive || self.leads(&self.scanner_lead).await?;
        self.scanner_health.stands_by(!leads);
        let turn = if leads { Turn::Looked(self.scan().await?) } else { Turn::StoodBy };
        self.scanner_health.succeeded();
        Ok(turn)
    }

    /// Leases what is due and has room; returns how many deliveries that were.
    pub(crate) async fn scan(self: &Arc<Self>) -> Result<usize, Error> {
        let begun = Instant::now();
        let targets = self.hungry_targets(begun);
        if targets.is_empty() {
            return Ok(0);
        }
        let request = LeaseRequest { targets, token: LeaseToken::fresh(), lease: self.options.lease };
        let Leased { deliveries, unreadable } = self.bounded("leasing deliveries", self.store.lease(&request)).await?;
        let leased = deliveries.len() + unreadable.len();
        let got = |target: &TargetRequest| {
            let readable = deliveries.iter().filter(|delivery| delivery.target == target.name).count();
            readable + unreadable.iter().filter(|row| row.target == target.name).count()
        };
        self.depth().learn(&request, begun, Instant::now(), got);
        self.learn(&request, &deliveries);
        for row in unreadable {
            tracing::error!(delivery = %row.lease.id, target_name = %row.target, error = row.error, "a stored delivery cannot be read");
            let failures = vec![Failure { attempt: 1, at: OffsetDateTime::now_utc(), error: row.error }];
            let outcome =
                Outcome::Dead { reason: DeadReason::Undecodable, failures, blocks_key: self.blocks(&row.target, row.key.as_deref()) };
            let settlement = Settlement { lease: row.lease, target: row.target, key: row.key, outcome };
            self.settler.push(Pending { settlement, source: Source::Scanner, published: None, holds: None });
        }
        let mut flights = Vec::with_capacity(deliveries.len());
        let mut sealed: BTreeMap<String, u64> = BTreeMap::new();
        for delivery in deliveries {
            let Some(index) = self.lane_of.get(&delivery.target).copied() else { continue };
            // Its lease ran out while it was under way, or before its settlement could be written: the database was away for long.
            if self.leases.take_over(delivery.lease, begun + self.options.lease) {
                tracing::info!(delivery = %delivery.lease.id, "a delivery that is still in memory was leased again");
                continue;
            }
            let holds = Holds { room: self.lanes[index].room(), _lease: self.leases.hold(delivery.lease, begun + self.options.lease) };
            let flight = InFlight { source: Source::Scanner, delivery, holds };
            if let Some(key) = flight.delivery.envelope.sealed_with() {
                *sealed.entry(key.to_owned()).or_default() += 1;
                self.settle(flight, Outcome::HandBack { delay: MISSING_KEY_DELAY });
            } else if flight.delivery.abandoned >= self.options.max_abandoned {
                self.bury_abandoned(flight);
            } else {
                flights.push((index, flight));
            }
        }
        for (key, deliveries) in sealed {
            tracing::warn!(
                key,
                deliveries,
                "payloads are encrypted with a key that this process does not have; they wait for a process that has it: give it to \
                 `PayloadKeys`, with `.and_old(..)` if it is not the current one"
            );
        }
        self.accept(flights);
        Ok(leased)
    }

    fn hungry_targets(&self, now: Instant) -> Vec<TargetRequest> {
        let (mut targets, depth) = (Vec::new(), self.depth());
        for lane in &self.lanes {
            let appetite = lane.appetite(self.options.hand_over_memory).min(self.options.batch);
            let Ok(limit @ 1..) = u32::try_from(appetite) else { continue };
            let request = |name: &Arc<str>| TargetRequest { name: Arc::clone(name), limit, within: depth.of(name, now) };
            targets.extend(lane.target.names().map(request));
        }
        targets
    }

    /// Tells the lanes what this look at the table says about the next one.
    fn learn(&self, request: &LeaseRequest, deliveries: &[Delivery]) {
        for target in &request.targets {
            let Some(index) = self.lane_of.get(&target.name) else { continue };
            let sizes = deliveries.iter().filter(|delivery| delivery.target == target.name).map(|delivery| delivery.envelope.payload.len());
            let (got, bytes) = sizes.fold((0, 0), |(got, bytes), size| (got + 1, bytes + size));
            if let Some(mean) = bytes.checked_div(got) {
                self.lanes[*index].payloads_weigh(mean);
            }
            if got >= target.limit as usize {
                self.lanes[*index].window_filled();
            }
        }
    }

    fn bury_abandoned(&self, flight: InFlight) {
        let times = flight.delivery.abandoned;
        let report = format!("its lease ran out {times} times before it was settled: it probably kills or hangs the process");
        tracing::error!(delivery = %flight.delivery.lease.id, target_name = %flight.delivery.target, times, "a delivery was abandoned too often; it goes to the dead letters");
        let failures = flight.delivery.failures_with(report);
        let blocks_key = self.blocks(&flight.delivery.target, flight.delivery.envelope.key.as_deref());
        self.settle(flight, Outcome::Dead { reason: DeadReason::Abandoned, failures, blocks_key });
    }

    /// Whether a dead letter of this target holds back what waits for `key`.
    fn blocks(&self, target: &str, key: Option<&str>) -> bool {
        self.lane_of.get(target).is_some_and(|index| self.lanes[*index].target.blocks(key))
    }
}
