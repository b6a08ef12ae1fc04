//! Drives deliveries to their targets and settles them, whether they were handed over from memory or leased by the scanner.

use crate::dispatcher::{Verdict, call_handler, send_batch};
use crate::lane::{Holds, InFlight, Lane, Room, Source};
use crate::leases::Leases;
use crate::registry::TargetKind;
use crate::settler::{Pending, Settler};
use crate::stats::{Counters, Health, count};
use crate::supervise::supervise;
use crate::{
    BuildError, Collected, Delivery, DeliveryId, Error, Lease, LeaseToken, LoopHealth, OutboxStore, Outcome, Registry, Settlement, Stats,
    retry::around,
};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
    task::JoinHandle,
};

/// A delivery takes at least this much of the hand-over memory, for its envelope and its lease.
const MEMORY_UNIT: usize = 1024;
/// Every how many rounds maintenance does what costs a walk over all keys.
const THOROUGH_ROUNDS: u64 = 10;
/// How often `shutdown` looks whether everything is settled.
const SHUTDOWN_POLL: Duration = Duration::from_millis(5);

/// Limits of a relay.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// How long a lease lasts. After a SIGKILL everything is redelivered within lease plus poll interval. Default 30 s.
    pub lease: Duration,
    /// How often the scanner looks for due deliveries when nothing wakes it, with jitter. Default 1 s.
    pub poll: Duration,
    /// How many deliveries the scanner leases at once, per target. Default 1,000.
    pub batch: usize,
    /// How many deliveries per target may wait in memory after COMMIT; more are left to the scanner. Default 2,048.
    pub hand_over: usize,
    /// How much memory payloads may take while they are handed over, in bytes. Default 32 MiB.
    pub hand_over_memory: usize,
    /// How long settlements gather before they are written, under load. Default 5 ms.
    pub linger: Duration,
    /// How long one database call of a background loop may take. Default 30 s.
    pub call_timeout: Duration,
    /// How often maintenance runs, with jitter. Default 60 s.
    pub maintenance: Duration,
    /// After so many leases that ran out unsettled, a delivery goes to the dead letters. Default 10.
    pub max_abandoned: u32,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            batch: 1_000,
            hand_over: 2_048,
            hand_over_memory: 32 * 1024 * 1024,
            linger: Duration::from_millis(5),
            call_timeout: Duration::from_secs(30),
            maintenance: Duration::from_secs(60),
            max_abandoned: 10,
        }
    }
}

impl RelayOptions {
    /// Checks that the options can work.
    ///
    /// # Errors
    /// The first one that cannot.
    pub fn check(&self) -> Result<(), BuildError> {
        let rule = |holds: bool, option, value: String, rule| {
            if holds { Ok(()) } else { Err(BuildError::InvalidOption { option, value, rule }) }
        };
        let millis = Duration::from_millis;
        rule(self.lease >= millis(100), "the lease", format!("{:?}", self.lease), "it must last at least 100 ms")?;
        rule(self.poll >= millis(1), "the poll interval", format!("{:?}", self.poll), "it must be at least 1 ms")?;
        rule(self.maintenance >= millis(1), "the maintenance interval", format!("{:?}", self.maintenance), "it must be at least 1 ms")?;
        rule(
            self.linger * 3 <= self.lease,
            "the settlement linger",
            format!("{:?}", self.linger),
            "it must be at most a third of the lease",
        )?;
        rule(!self.call_timeout.is_zero(), "the call timeout", "0".into(), "database calls need some time")?;
        rule((1..=10_000).contains(&self.batch), "the batch", self.batch.to_string(), "it must be between 1 and 10,000")?;
        rule(self.max_abandoned >= 1, "the number of abandoned leases", "0".into(), "a process may die once without blame")?;
        let limit = u32::MAX as usize * MEMORY_UNIT;
        rule(self.hand_over_memory <= limit, "the hand-over memory", self.hand_over_memory.to_string(), "it must be below 4 TiB")
    }
}

/// Delivers and settles. Clones share one relay.
#[derive(Clone)]
pub struct Relay(pub(crate) Arc<Engine>);

/// What the loops, the workers and the committers share.
pub(crate) struct Engine {
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn OutboxStore>,
    pub(crate) options: RelayOptions,
    pub(crate) lanes: Vec<Arc<Lane>>,
    pub(crate) lane_of: HashMap<Arc<str>, usize>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) settler: Settler,
    memory: Arc<Semaphore>,
    /// Wakes the scanner: a key was freed, memory overflowed, a lane runs low.
    pub(crate) wake: Notify,
    pub(crate) counters: Counters,
    pub(crate) scanner_health: Arc<Health>,
    pub(crate) settler_health: Arc<Health>,
    pub(crate) heartbeat_health: Arc<Health>,
    pub(crate) maintenance_health: Arc<Health>,
    closing: AtomicBool,
    loops: Mutex<Vec<JoinHandle<()>>>,
    runtime: Handle,
}

impl Relay {
    /// A relay whose loops do not run yet; tests call [`scan`](Self::scan) and [`settle`](Self::settle) themselves.
    ///
    /// # Errors
    /// An option cannot work.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn new(mut registry: Registry, store: Arc<dyn OutboxStore>, options: RelayOptions) -> Result<Self, BuildError> {
        options.check()?;
        let targets = std::mem::take(&mut registry.targets);
        let lanes: Vec<Arc<Lane>> =
            targets.into_iter().map(|target| Arc::new(Lane::new(target, options.hand_over, options.batch * 2))).collect();
        let lane_of =
            lanes.iter().enumerate().flat_map(|(index, lane)| lane.target.names().map(move |name| (Arc::clone(name), index))).collect();
        let memory = Arc::new(Semaphore::new(options.hand_over_memory / MEMORY_UNIT));
        Ok(Self(Arc::new(Engine {
            registry: Arc::new(registry),
            store,
            lanes,
            lane_of,
            leases: Arc::default(),
            settler: Settler::new(),
            memory,
            wake: Notify::new(),
            counters: Counters::default(),
            scanner_health: Arc::new(Health::of("scanner")),
            settler_health: Arc::new(Health::of("settler")),
            heartbeat_health: Arc::new(Health::of("heartbeat")),
            maintenance_health: Arc::new(Health::of("maintenance")),
            closing: AtomicBool::new(false),
            loops: Mutex::default(),
            runtime: Handle::current(),
            options,
        })))
    }

    /// Starts the loops: scanner, settler, heartbeat, maintenance.
    pub fn start(&self) {
        let engine = &self.0;
        let scanner = self.spawn(&engine.scanner_health, |engine| async move { engine.scan_for_ever().await });
        let settler = self.spawn(&engine.settler_health, |engine| async move {
            loop {
                engine.settle_next().await;
            }
        });
        let heartbeat = self.spawn(&engine.heartbeat_health, |engine| async move { engine.beat_for_ever().await });
        let maintenance = self.spawn(&engine.maintenance_health, |engine| async move { engine.maintain_for_ever().await });
        self.loops().extend([scanner, settler, heartbeat, maintenance]);
    }

    fn spawn<F>(&self, health: &Arc<Health>, body: impl Fn(Arc<Engine>) -> F + Send + 'static) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let engine = Arc::clone(&self.0);
        supervise(&self.0.runtime, Arc::clone(health), move || body(Arc::clone(&engine)))
    }

    /// One look of the scanner: leases what is due and has room, and starts its delivery. Returns how many were leased.
    ///
    /// # Errors
    /// The database failed.
    pub async fn scan(&self) -> Result<usize, Error> {
        self.0.scan().await
    }

    /// Waits for deliveries to end and writes one batch of their settlements.
    pub async fn settle(&self) {
        self.0.settle_next().await;
    }

    /// One beat of the heartbeat: renews the leases that have used up a third of their time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn renew(&self) -> Result<(), Error> {
        self.0.renew_leases().await
    }

    /// One round of maintenance: purges what is no longer needed and counts orphaned deliveries.
    ///
    /// # Errors
    /// The database failed.
    pub async fn maintain(&self) -> Result<(), Error> {
        self.0.maintain(true).await
    }

    /// The registry this relay delivers by.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    /// The names of all targets of this process, earlier names included.
    #[must_use]
    pub fn target_names(&self) -> Vec<Arc<str>> {
        self.0.lane_of.keys().cloned().collect()
    }

    /// The limits in force.
    #[must_use]
    pub fn options(&self) -> &RelayOptions {
        &self.0.options
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.counters.snapshot()
    }

    /// How the background loops are doing.
    #[must_use]
    pub fn health(&self) -> Vec<LoopHealth> {
        let engine = &self.0;
        [&engine.scanner_health, &engine.settler_health, &engine.heartbeat_health, &engine.maintenance_health]
            .map(|health| health.snapshot())
            .to_vec()
    }

    /// How many deliveries are in memory: waiting, running or being settled.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.lanes.iter().map(|lane| lane.held()).sum()
    }

    /// Whether this relay was told to shut down.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    /// Makes the scanner look now.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Turns collected events into deliveries, one per event and target, and reserves room in memory where there is some.
    ///
    /// The leases of deliveries with room begin now, a little before the database's: take the plan just before the INSERT.
    ///
    /// # Errors
    /// An event is not declared.
    pub fn plan(&self, events: Vec<Collected>) -> Result<HandOver, Error> {
        let engine = &self.0;
        let token = LeaseToken::fresh();
        let mut planned = Vec::with_capacity(events.len());
        for event in events {
            let route = engine.registry.route(&event.envelope.topic, event.envelope.version)?;
            for index in &route.targets {
                let lane = &engine.lanes[*index];
                let room = if event.delay.is_none() { engine.reserve(lane, event.envelope.payload.len()) } else { None };
                planned.push(Planned {
                    delivery: Delivery {
                        lease: Lease { id: DeliveryId::now(), token },
                        target: Arc::clone(&lane.target.name),
                        envelope: Arc::clone(&event.envelope),
                        failed: 0,
                        abandoned: 0,
                        failures: Vec::new(),
                    },
                    delay: event.delay.unwrap_or_default(),
                    lane: *index,
                    room,
                    waits_for_key: false,
                });
            }
        }
        Ok(HandOver { engine: Arc::clone(engine), planned, begun: Instant::now() })
    }

    /// Delivers events to all their targets at once, without storing them: no retry, no second chance.
    ///
    /// # Errors
    /// An event is not declared, or the first target that failed.
    pub async fn send_now(&self, events: Vec<Collected>) -> Result<(), Error> {
        for planned in self.plan(events)?.planned.drain(..) {
            let lane = &self.0.lanes[planned.lane];
            let verdicts = self.0.deliver(lane, &[&planned.delivery]).await;
            let reason = match verdicts.into_iter().next() {
                Some(Verdict::Settle(Outcome::Delivered) | Verdict::Settled { .. }) => continue,
                Some(Verdict::Settle(Outcome::Retry { failures, .. } | Outcome::Dead { failures, .. })) => {
                    failures.into_iter().next_back().map_or_else(String::new, |failure| failure.error)
                }
                Some(Verdict::Unavailable(reason)) => reason,
                _ => "it needs a stored delivery; publish it with `OutsideUnitOfWork::OwnTransaction`".into(),
            };
            return Err(Error::SendNow {
                topic: planned.delivery.envelope.topic.to_string(),
                target: planned.delivery.target.to_string(),
                reason,
            });
        }
        Ok(())
    }

    /// Stops leasing, lets what is in memory finish for at most `deadline`, gives back the rest and stops the loops.
    ///
    /// Returns how many deliveries were still running at the deadline; they were aborted and given back.
    ///
    /// # Cancel safety
    /// When cancelled, the relay stays half closed: nothing is leased any more, and the leases in memory run out. Call it again.
    pub async fn shutdown(&self, deadline: Duration) -> usize {
        let engine = &self.0;
        let end = Instant::now() + deadline;
        engine.closing.store(true, Ordering::Release);
        engine.wake.notify_one();
        while self.in_flight() > 0 && Instant::now() < end {
            tokio::time::sleep(SHUTDOWN_POLL).await;
        }
        let left = self.in_flight();
        for lane in &engine.lanes {
            engine.hand_back(lane.clear());
            // The guard of an aborted delivery hands it back.
            lane.abort();
        }
        // The settler writes what was handed back; a database that is away must not hold up the process for long.
        let end = Instant::now() + engine.options.linger.max(Duration::from_secs(2));
        while self.in_flight() > 0 && Instant::now() < end {
            tokio::time::sleep(SHUTDOWN_POLL).await;
        }
        for handle in self.loops().drain(..) {
            handle.abort();
        }
        left
    }

    fn loops(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A delivery about to be stored.
pub struct Planned {
    delivery: Delivery,
    delay: Duration,
    lane: usize,
    room: Option<Room>,
    waits_for_key: bool,
}

impl Planned {
    /// The delivery.
    #[must_use]
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// How long after COMMIT it becomes deliverable.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether the row is to be inserted leased to this process.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        self.room.is_some()
    }

    /// Whether an earlier delivery of the same key is not settled yet, so that the row is to be inserted waiting.
    #[must_use]
    pub fn waits_for_key(&self) -> bool {
        self.waits_for_key
    }

    /// Notes that an earlier delivery of the same key is not settled yet: nothing is handed over, the key's turn will come.
    pub fn wait_for_key(&mut self) {
        self.waits_for_key = true;
        self.room = None;
    }
}

/// Deliveries on their way from a transaction to the relay. Dropped, it forgets them: their rows, if any, are the scanner's.
#[must_use = "call `.hand_over()` after COMMIT"]
pub struct HandOver {
    engine: Arc<Engine>,
    planned: Vec<Planned>,
    begun: Instant,
}

impl HandOver {
    /// The deliveries to store.
    #[must_use]
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// The deliveries to store, to mark those that wait for their key.
    pub fn planned_mut(&mut self) -> &mut [Planned] {
        &mut self.planned
    }

    /// Hands the committed deliveries to the relay. Never waits, so that no cancellation can come between COMMIT and hand-over.
    pub fn hand_over(self) {
        let Self { engine, planned, begun } = self;
        let mut overflowed = 0;
        let mut leased: Vec<(usize, InFlight)> = Vec::with_capacity(planned.len());
        for Planned { delivery, delay, lane, room, waits_for_key } in planned {
            match room {
                Some(room) => {
                    let lease = engine.leases.hold(delivery.lease, begun + engine.options.lease);
                    leased.push((lane, InFlight { delivery, source: Source::Memory, holds: Holds { _room: room, _lease: lease } }));
                }
                None if waits_for_key || !delay.is_zero() => {}
                None => overflowed += 1,
            }
        }
        if overflowed > 0 {
            count(&engine.counters.overflowed, overflowed);
            engine.wake.notify_one();
        }
        engine.accept(leased);
    }
}

impl Engine {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn reserve(&self, lane: &Arc<Lane>, payload: usize) -> Option<Room> {
        if self.is_closing() {
            return None;
        }
        let units = u32::try_from(payload.div_ceil(MEMORY_UNIT).max(1)).ok()?;
        lane.reserve(Arc::clone(&self.memory).try_acquire_many_owned(units).ok()?)
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
            lane.push(&self.runtime, flights, || Arc::clone(self).work(Arc::clone(lane)));
        }
    }

    /// A worker of one lane: delivers until nothing waits.
    async fn work(self: Arc<Self>, lane: Arc<Lane>) {
        loop {
            let (batch, low) = lane.pop();
            if low {
                self.wake.notify_one();
            }
            if batch.is_empty() {
                return;
            }
            let (alive, expired): (Vec<_>, Vec<_>) = batch.into_iter().partition(|flight| self.leases.is_alive(flight.delivery.lease));
            for flight in expired {
                // Another process may have it: starting it now could deliver it twice.
                tracing::warn!(delivery = %flight.delivery.lease.id, "the lease was lost before the delivery began");
                count(&self.counters.lease_lost, 1);
            }
            if alive.is_empty() {
                continue;
            }
            let guard = Running { engine: &self, flights: alive };
            let verdicts = self.deliver(&lane, &guard.flights.iter().map(|flight| &flight.delivery).collect::<Vec<_>>()).await;
            let flights = guard.finish();
            for (flight, verdict) in flights.into_iter().zip(verdicts) {
                self.conclude(&lane, flight, verdict);
            }
        }
    }

    /// Takes deliveries of one lane to its target; one verdict each.
    async fn deliver(&self, lane: &Lane, batch: &[&Delivery]) -> Vec<Verdict> {
        match &lane.target.kind {
            TargetKind::Handler(handler) => {
                let mut verdicts = Vec::with_capacity(batch.len());
                for delivery in batch {
                    let store = &*self.store;
                    verdicts.push(call_handler(&self.registry, store, &self.counters, &lane.target, handler, delivery).await);
                }
                verdicts
            }
            TargetKind::Transport(transport) => send_batch(&self.counters, &lane.target, &**transport, batch).await,
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
                    Outcome::Dead { reason, failures } => tracing::error!(
                        target_name = %delivery.target, topic = %delivery.envelope.topic, event = %delivery.envelope.id,
                        reason = reason.as_str(), error = failures.last().map(|failure| &*failure.error),
                        "a delivery goes to the dead letters"
                    ),
                    _ => {}
                }
                self.settle(flight, outcome);
            }
            Verdict::Settled { freed } => {
                answered();
                count(
                    match flight.source {
                        Source::Memory => &self.counters.delivered_from_memory,
                        Source::Scanner => &self.counters.delivered_by_scanner,
                    },
                    1,
                );
                if freed > 0 {
                    self.wake.notify_one();
                }
            }
            Verdict::LeaseLost => count(&self.counters.lease_lost, 1),
            // The lease is no longer renewed: if the delivery was not settled, it comes again.
            Verdict::Unknown => {}
            Verdict::Unavailable(error) => {
                if let Some((pause, waiting)) = lane.pause() {
                    count(&self.counters.paused, 1);
                    tracing::warn!(target_name = %lane.target.name, %error, ?pause, "the target is unavailable; it is paused");
                    self.hand_back(waiting);
                }
                self.settle(flight, Outcome::HandBack { delay: Duration::ZERO });
            }
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
        let settlement = Settlement { lease: delivery.lease, target: delivery.target, key: delivery.envelope.key.clone(), outcome };
        self.settler.push(Pending { settlement, source, holds: Some(holds) });
    }

    /// A database call with the limit that every loop's calls have.
    pub(crate) async fn bounded<T>(&self, doing: &'static str, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let limit = self.options.call_timeout;
        tokio::time::timeout(limit, call).await.unwrap_or(Err(Error::Timeout { doing, seconds: limit.as_secs() }))
    }

    async fn beat_for_ever(&self) {
        loop {
            tokio::time::sleep(self.options.lease / 6).await;
            match self.renew_leases().await {
                Ok(()) => self.heartbeat_health.succeeded(),
                Err(error) => {
                    self.heartbeat_health.failed();
                    count(&self.counters.store_errors, 1);
                    tracing::warn!(error = error.report(), "leases could not be renewed; trying again");
                }
            }
        }
    }

    pub(crate) async fn renew_leases(&self) -> Result<(), Error> {
        let expiring = self.leases.expiring(self.options.lease * 2 / 3);
        for leases in expiring.chunks(1_000) {
            let begun = Instant::now();
            let lost = self.bounded("renewing leases", self.store.renew(leases, self.options.lease)).await?;
            self.leases.renewed(leases, begun + self.options.lease);
            for id in &lost {
                // What runs will find out when it is settled; what waits will not be started.
                if let Some(lease) = leases.iter().find(|lease| lease.id == *id) {
                    self.leases.release(*lease);
                }
            }
        }
        Ok(())
    }

    async fn maintain_for_ever(&self) {
        for round in 0_u64.. {
            match self.maintain(round % THOROUGH_ROUNDS == 0).await {
                Ok(()) => self.maintenance_health.succeeded(),
                Err(error) => {
                    self.maintenance_health.failed();
                    count(&self.counters.store_errors, 1);
                    tracing::warn!(error = error.report(), "maintenance failed; it is repeated");
                }
            }
            tokio::time::sleep(around(self.options.maintenance)).await;
        }
    }

    pub(crate) async fn maintain(&self, thorough: bool) -> Result<(), Error> {
        const LIMIT: u32 = 1_000;
        while self.bounded("purging", self.store.purge(LIMIT)).await? >= u64::from(LIMIT) {
            tokio::task::yield_now().await;
        }
        if thorough {
            let freed = self.bounded("freeing keys that wait for nothing", self.store.free_stuck()).await?;
            if freed > 0 {
                tracing::warn!(freed, "deliveries waited for a key that nothing held any more; was a row deleted by hand?");
                self.wake.notify_one();
            }
        }
        let known: Vec<Arc<str>> = self.lane_of.keys().cloned().collect();
        let orphans = self.bounded("counting orphaned deliveries", self.store.orphans(&known)).await?;
        for orphan in &orphans {
            tracing::warn!(
                target_name = orphan.target,
                waiting = orphan.waiting,
                "deliveries wait for a target that this process does not have; start a process that has it, or give a handler `renamed_from`"
            );
        }
        let waiting = orphans.iter().map(|orphan| orphan.waiting).sum();
        self.counters.orphaned.store(waiting, Ordering::Relaxed);
        Ok(())
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
