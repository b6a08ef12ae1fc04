//! Drives deliveries to their targets and settles them, whether they were handed over from memory or leased by the scanner.

use crate::engine::Engine;
use crate::instrument;
use crate::lane::Lane;
use crate::leadership::Leadership;
use crate::meter::{Meter, TargetMeter};
use crate::options::MEMORY_UNIT;
use crate::reception::Reception;
use crate::report::{Latencies, Samples};
use crate::settler::Settler;
use crate::stats::{Counters, Health};
use crate::supervise::supervise;
use crate::targets::Target;
use crate::{BuildError, Error, Inbox, LoopHealth, OutboxStore, Registry, RelayOptions, Stats};
use std::future::Future;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::{Duration, Instant};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use uuid::Uuid;

/// How often `shutdown` looks whether everything is settled.
const SHUTDOWN_POLL: Duration = Duration::from_millis(5);
/// How long a database that is away may hold up a shutdown with each of its last calls.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// Delivers and settles. Clones share one relay.
#[derive(Clone)]
pub struct Relay(pub(crate) Arc<Engine>);

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
        let subscribed = std::mem::take(&mut registry.subscribed);
        let counters = Arc::<Counters>::default();
        instrument::describe();
        let lane = |target: Target| {
            let meter = TargetMeter::of(&options.name, &target.name, &counters);
            Arc::new(Lane::new(target, meter, options.hand_over, options.batch * 2))
        };
        let lanes: Vec<Arc<Lane>> = targets.into_iter().map(lane).collect();
        let lane_of =
            lanes.iter().enumerate().flat_map(|(index, lane)| lane.target.names().map(move |name| (Arc::clone(name), index))).collect();
        let renamed = lanes
            .iter()
            .flat_map(|lane| lane.target.earlier_names.iter().map(|earlier| (Arc::clone(earlier), Arc::clone(&lane.target.name))))
            .collect();
        let memory = Arc::new(Semaphore::new(options.hand_over_memory / MEMORY_UNIT));
        let registry = Arc::new(registry);
        let meter = Meter::of(&options.name, registry.routes.keys().copied(), Arc::clone(&counters));
        let inbox = Arc::clone(&store) as Arc<dyn Inbox>;
        Ok(Self(Arc::new(Engine {
            reception: Reception::new(Arc::clone(&options.name), subscribed, inbox, Arc::clone(&registry), Arc::clone(&counters)),
            registry,
            store,
            lanes,
            lane_of,
            renamed,
            leases: Arc::default(),
            telling: AtomicUsize::new(0),
            settler: Settler::new(),
            memory,
            wake: Notify::new(),
            announcement: Notify::new(),
            scanner_lead: Leadership::of("scanner"),
            maintenance_lead: Leadership::of("maintenance"),
            depth: Mutex::default(),
            counters,
            process: Uuid::now_v7(),
            latencies: Latencies::default(),
            samples: Samples::default(),
            meter,
            scanner_health: Arc::new(Health::of("scanner")),
            settler_health: Arc::new(Health::of("settler")),
            heartbeat_health: Arc::new(Health::of("heartbeat")),
            maintenance_health: Arc::new(Health::of("maintenance")),
            announcer_health: Arc::new(Health::of("announcer")),
            reporter_health: Arc::new(Health::of("reporter")),
            listener_health: Arc::new(Health::of("listener")),
            closing: AtomicBool::new(false),
            loops: Mutex::default(),
            runtime: Handle::current(),
            options,
        })))
    }

    /// Starts the loops: announcer, reporter, scanner, listener, settler, heartbeat, maintenance; only the first two if this process only
    /// publishes.
    pub fn start(&self) {
        let engine = &self.0;
        let announcer = self.spawn(&engine.announcer_health, |engine| async move { engine.announce_for_ever().await });
        let reporter = self.spawn(&engine.reporter_health, |engine| async move { engine.report_for_ever().await });
        self.loops().extend([announcer, reporter]);
        if engine.options.publish_only {
            return;
        }
        let listener = self.spawn(&engine.listener_health, |engine| async move { engine.listen_for_ever().await });
        let scanner = self.spawn(&engine.scanner_health, |engine| async move { engine.scan_for_ever().await });
        let settler = self.spawn(&engine.settler_health, |engine| async move {
            loop {
                engine.settle_next().await;
            }
        });
        let heartbeat = self.spawn(&engine.heartbeat_health, |engine| async move { engine.beat_for_ever().await });
        let maintenance = self.spawn(&engine.maintenance_health, |engine| async move { engine.maintain_for_ever().await });
        self.loops().extend([scanner, listener, settler, heartbeat, maintenance]);
        engine.reception.start();
    }

    fn spawn<F>(&self, health: &Arc<Health>, body: impl Fn(Arc<Engine>) -> F + Send + 'static) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let engine = Arc::clone(&self.0);
        health.started(&engine.options.name);
        supervise(&self.0.runtime, Arc::clone(health), move || body(Arc::clone(&engine)))
    }

    /// One look of the scanner, at everything: leases what is due and has room, and starts its delivery. Returns how many were leased.
    ///
    /// # Errors
    /// The database failed.
    pub async fn scan(&self) -> Result<usize, Error> {
        self.0.depth().forget();
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

    /// Takes over what waits under earlier names of this process's targets. To be called before anything is published.
    ///
    /// # Errors
    /// The database failed.
    pub async fn adopt(&self) -> Result<(), Error> {
        self.0.adopt().await
    }

    /// Lets the brokers of two-phase transports ask what became of transactions. To be called before anything is published.
    ///
    /// # Errors
    /// The database failed, or a transport can never be asked.
    pub async fn attend(&self) -> Result<(), Error> {
        self.0.attend().await
    }

    /// One round of maintenance: purges what is no longer needed and counts orphaned deliveries.
    ///
    /// # Errors
    /// The database failed.
    pub async fn maintain(&self) -> Result<(), Error> {
        self.0.maintain(usize::MAX).await
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
        self.0.loop_health()
    }

    /// How many deliveries are in memory: waiting, running or being settled; events from brokers that are handled; and brokers that are
    /// told how a transaction ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    /// Whether this relay was told to shut down.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    /// Makes the scanners look now, that of this process and those of others that listen.
    pub fn wake(&self) {
        self.0.look_everywhere();
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
        // First nothing more is received. What the subscriptions have prefetched goes back to their brokers.
        engine.reception.close().await;
        // The scanner ends, and resigns; others take over while this process finishes.
        engine.wake.notify_one();
        let drained = async {
            while self.in_flight() > 0 && Instant::now() < end {
                tokio::time::sleep(SHUTDOWN_POLL).await;
            }
        };
        tokio::join!(drained, self.resign(&engine.maintenance_lead));
        let left = self.in_flight();
        engine.reception.abort();
        for lane in &engine.lanes {
            engine.hand_back(lane.clear());
            // The guard of an aborted delivery hands it back.
            lane.abort();
        }
        // The settler writes what was handed back; a database that is away must not hold up the process for long.
        let end = Instant::now() + engine.options.linger.max(LAST_CALLS);
        while self.in_flight() > 0 && Instant::now() < end {
            tokio::time::sleep(SHUTDOWN_POLL).await;
        }
        if engine.options.exclusive {
            self.resign(&engine.scanner_lead).await;
        }
        // What a process that only publishes has committed last may not be announced yet.
        let is_for_others = left > 0 || engine.options.publish_only;
        if is_for_others && !matches!(tokio::time::timeout(LAST_CALLS, engine.store.announce()).await, Ok(Ok(()))) {
            tracing::warn!("other processes could not be told of what is left to them; they find it by polling");
        }
        let loops: Vec<_> = self.loops().drain(..).collect();
        for handle in &loops {
            handle.abort();
        }
        // A relay whose loops never ran was never on the list.
        if !loops.is_empty() {
            engine.check_out(LAST_CALLS).await;
        }
        left
    }

    async fn resign(&self, leadership: &Leadership) {
        if tokio::time::timeout(LAST_CALLS, self.0.resign(leadership)).await.is_err() {
            tracing::warn!("a lead could not be resigned; it runs out by itself");
        }
    }

    fn loops(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
