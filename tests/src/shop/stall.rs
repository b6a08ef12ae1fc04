//! One process of the shop, or what stands for one: an outbox that relays, and those who sell through it.

use super::{Clerk, Habits, Orders, Sale, Site, Witness, ring, track};
use events_core::{Backoff, RelayOptions, RetryPolicy, Stats};
use events_sqlx::{Outbox, OutboxBuilder};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};

/// An open stall.
pub struct Stall<S: Site> {
    /// Its outbox.
    pub outbox: Outbox<S::Db>,
    sells: Arc<AtomicBool>,
    sellers: JoinSet<()>,
    watcher: JoinHandle<()>,
}

/// What a stall says when it closes.
pub struct Closed {
    /// What its relay counted.
    pub stats: Stats,
    /// What was still under way when its time was up.
    pub left: usize,
}

impl<S: Site> Stall<S> {
    /// An outbox on `url` as `orders` want it, not started yet. What it tells is written down by way of `witness_url`.
    pub fn outbox(url: &str, witness_url: &str, orders: &Orders) -> OutboxBuilder<S::Db> {
        let witness = Witness::of::<S>(S::connect(witness_url, 4, S::WITNESS), orders.keeper, orders.failures, orders.seed);
        let limits = RelayOptions {
            lease: orders.lease,
            poll: orders.poll,
            linger: Duration::from_millis(2),
            // Nothing here kills its process by itself.
            max_abandoned: 100_000,
            ..RelayOptions::default()
        };
        let mut builder = Outbox::builder(S::connect(url, orders.connections, S::SHOP))
            .without_linked_handlers()
            .handler::<ring>()
            .state(witness)
            .state(Clerk { keeper: orders.keeper, keys: orders.keys })
            .retry(RetryPolicy::default().attempts(100_000).backoff(Backoff::Fixed(Duration::from_millis(10))))
            .relay(limits);
        if orders.tracks {
            builder = builder.handler::<track>();
        }
        if orders.enters {
            builder = builder.handler::<S::Enter>();
        }
        builder
    }

    /// Opens one. `report` hears of every sale when its unit of work has ended.
    ///
    /// # Panics
    /// The outbox does not start.
    pub async fn open(url: &str, witness_url: &str, orders: &Orders, report: impl Fn(Sale) + Clone + Send + 'static) -> Self {
        let outbox = Self::outbox(url, witness_url, orders).start().await.unwrap_or_else(|error| panic!("{}", error.report()));
        let (sells, full) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let mut sellers = JoinSet::new();
        for seller in 0..orders.habits.as_ref().map_or(0, |habits| habits.sellers) {
            let Some(habits) = orders.habits.clone() else { continue };
            let (outbox, orders, sells, full, report) =
                (outbox.clone(), orders.clone(), Arc::clone(&sells), Arc::clone(&full), report.clone());
            sellers.spawn(async move {
                let mut dice = StdRng::seed_from_u64(orders.seed ^ (seller << 48));
                while sells.load(Ordering::Relaxed) {
                    tokio::time::sleep(dice.random_range(Duration::ZERO..=habits.pause)).await;
                    if !full.load(Ordering::Relaxed) {
                        let sale = Sale::run::<S>(&outbox, &mut dice, &habits, orders.keys, orders.keeper).await;
                        report(sale);
                    }
                }
            });
        }
        let watcher = tokio::spawn(watch(outbox.clone(), orders.habits.clone(), full));
        Self { outbox, sells, sellers, watcher }
    }

    /// Sells nothing more; returns when every sale has ended. It goes on relaying.
    pub async fn stop_selling(&mut self) {
        self.sells.store(false, Ordering::Relaxed);
        while let Some(ended) = self.sellers.join_next().await {
            ended.expect("a seller does not panic");
        }
    }

    /// Closes.
    pub async fn close(mut self) -> Closed {
        self.stop_selling().await;
        self.watcher.abort();
        let left = self.outbox.shutdown_within(Duration::from_secs(30)).await;
        Closed { stats: self.outbox.stats(), left }
    }
}

/// Notes whether so much waits that nobody should sell more.
async fn watch<DB: events_sqlx::Backend>(outbox: Outbox<DB>, habits: Option<Habits>, full: Arc<AtomicBool>) {
    let Some(habits) = habits else { return };
    loop {
        if let Ok(waiting) = outbox.waiting().await {
            full.store(waiting > habits.backlog, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
