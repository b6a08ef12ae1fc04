//! What the loops, the workers and the committers of a relay share.

use crate::depth::Depth;
use crate::instrument::PublishedAt;
use crate::lane::{InFlight, Lane};
use crate::leadership::Leadership;
use crate::leases::Leases;
use crate::meter::Meter;
use crate::reception::Reception;
use crate::report::{Latencies, Samples};
use crate::settler::{Pending, Settler};
use crate::stats::{Counters, Health};
use crate::{Error, LoopHealth, OutboxStore, Outcome, Registry, RelayOptions, Settlement};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::Duration;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use uuid::Uuid;

/// What the loops, the workers and the committers share.
pub(crate) struct Engine {
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn OutboxStore>,
    pub(crate) options: RelayOptions,
    pub(crate) lanes: Vec<Arc<Lane>>,
    pub(crate) lane_of: HashMap<Arc<str>, usize>,
    /// Earlier names of targets, each with the present one.
    pub(crate) renamed: Vec<(Arc<str>, Arc<str>)>,
    /// What comes from brokers.
    pub(crate) reception: Arc<Reception>,
    pub(crate) leases: Arc<Leases>,
    /// How many brokers are being told how a transaction ended.
    pub(crate) telling: AtomicUsize,
    pub(crate) settler: Settler,
    pub(crate) memory: Arc<Semaphore>,
    /// Wakes the scanner: a key was freed, memory overflowed, a lane runs low.
    pub(crate) wake: Notify,
    /// Wakes the announcer, which wakes the scanners of other processes.
    pub(crate) announcement: Notify,
    /// Only who leads scans, if scanners are exclusive.
    pub(crate) scanner_lead: Leadership,
    /// Only who leads maintains.
    pub(crate) maintenance_lead: Leadership,
    /// How far back the scanner looks.
    pub(crate) depth: Mutex<Depth>,
    pub(crate) counters: Arc<Counters>,
    /// Names this relay in the list of processes.
    pub(crate) process: Uuid,
    pub(crate) latencies: Latencies,
    pub(crate) samples: Samples,
    pub(crate) meter: Meter,
    pub(crate) scanner_health: Arc<Health>,
    pub(crate) settler_health: Arc<Health>,
    pub(crate) heartbeat_health: Arc<Health>,
    pub(crate) maintenance_health: Arc<Health>,
    pub(crate) announcer_health: Arc<Health>,
    pub(crate) reporter_health: Arc<Health>,
    pub(crate) listener_health: Arc<Health>,
    pub(crate) closing: AtomicBool,
    pub(crate) loops: Mutex<Vec<JoinHandle<()>>>,
    pub(crate) runtime: Handle,
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Idle workers hold their lane, and their lane holds them.
        for lane in &self.lanes {
            lane.abort();
        }
    }
}

impl Engine {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// How the background loops are doing.
    pub(crate) fn loop_health(&self) -> Vec<LoopHealth> {
        let loops = [
            &self.announcer_health,
            &self.reporter_health,
            &self.scanner_health,
            &self.listener_health,
            &self.settler_health,
            &self.heartbeat_health,
            &self.maintenance_health,
        ];
        let running = if self.options.publish_only { 2 } else { loops.len() };
        let subscriptions = self.reception.health().filter(|_| !self.options.publish_only);
        loops[..running].iter().map(|health| health.snapshot()).chain(subscriptions).collect()
    }

    /// How many deliveries are in memory, whatever is being done with them.
    pub(crate) fn in_flight(&self) -> usize {
        let deliveries = self.lanes.iter().map(|lane| lane.held()).sum::<usize>();
        deliveries + self.reception.in_flight() + self.telling.load(Ordering::Acquire)
    }

    pub(crate) fn depth(&self) -> MutexGuard<'_, Depth> {
        self.depth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes leased deliveries, each with the index of its lane, and gets them going.
    pub(crate) fn accept(self: &Arc<Self>, leased: Vec<(usize, InFlight)>) {
        let mut by_lane: Vec<(usize, Vec<InFlight>)> = Vec::new();
        for (lane, flight) in leased {
            match by_lane.iter_mut().find(|(index, _)| *index == lane) {
                Some((_, flights)) => flights.push(flight),
                None => by_lane.push((lane, vec![flight])),
            }
        }
        for (index, flights) in by_lane {
            let lane = &self.lanes[index];
            lane.push(&self.runtime, flights, || Self::work(Arc::downgrade(self), Arc::clone(lane)));
        }
    }

    pub(crate) fn hand_back(&self, flights: Vec<InFlight>) {
        for flight in flights {
            self.settle(flight, Outcome::HandBack { delay: Duration::ZERO });
        }
    }

    /// Queues a settlement.
    pub(crate) fn settle(&self, flight: InFlight, outcome: Outcome) {
        let InFlight { delivery, source, holds } = flight;
        if matches!(outcome, Outcome::Delivered) {
            self.latencies.count(delivery.envelope.occurred_at);
        }
        let published = Some(PublishedAt::of(&delivery.envelope));
        let settlement = Settlement { lease: delivery.lease, target: delivery.target, key: delivery.envelope.key.clone(), outcome };
        self.settler.push(Pending { settlement, source, published, holds: Some(holds) });
    }

    /// A database call with the limit that every loop's calls have.
    pub(crate) async fn bounded<T>(&self, doing: &'static str, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let limit = self.options.call_timeout;
        tokio::time::timeout(limit, call).await.unwrap_or(Err(Error::Timeout { doing, seconds: limit.as_secs() }))
    }
}
