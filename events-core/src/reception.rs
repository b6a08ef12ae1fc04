//! The subscriptions of a process, and what their events have in common: the inbox, the state of handlers, the loops.

use crate::intake::{Intake, Subscribed};
use crate::stats::{Counters, LoopHealth};
use crate::supervise::supervise;
use crate::{Inbox, Registry};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{runtime::Handle, task::JoinHandle};

/// Receives what brokers deliver, and has it handled.
pub(crate) struct Reception {
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) runtime: Handle,
    /// What metrics call the outbox.
    name: Arc<str>,
    intakes: Vec<Arc<Intake>>,
    loops: Mutex<Vec<JoinHandle<()>>>,
}

impl Reception {
    /// # Panics
    /// Outside a Tokio runtime.
    pub(crate) fn new(
        name: Arc<str>,
        subscribed: Vec<Subscribed>,
        inbox: Arc<dyn Inbox>,
        registry: Arc<Registry>,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let intakes = subscribed.into_iter().map(|subscribed| Arc::new(Intake::new(subscribed, &name, &counters))).collect();
        Arc::new(Self { inbox, registry, counters, runtime: Handle::current(), name, intakes, loops: Mutex::default() })
    }

    /// Starts a loop for each subscription.
    pub(crate) fn start(self: &Arc<Self>) {
        let loops = self.intakes.iter().map(|intake| {
            let (reception, intake) = (Arc::clone(self), Arc::clone(intake));
            intake.health.started(&self.name);
            supervise(&self.runtime, Arc::clone(&intake.health), move || Arc::clone(&reception).receive_for_ever(Arc::clone(&intake)))
        });
        self.loops().extend(loops);
    }

    /// Receives no more. What the subscriptions have prefetched goes back to their brokers; what is handled goes on.
    pub(crate) async fn close(&self) {
        for handle in self.loops().drain(..) {
            handle.abort();
        }
        for intake in &self.intakes {
            intake.close().await;
        }
    }

    /// Ends what is handled; the brokers deliver it again.
    pub(crate) fn abort(&self) {
        for intake in &self.intakes {
            intake.abort();
        }
    }

    /// How many events are handled, or wait for one of their key.
    pub(crate) fn in_flight(&self) -> usize {
        self.intakes.iter().map(|intake| intake.in_flight()).sum()
    }

    /// How the subscriptions are doing.
    pub(crate) fn health(&self) -> impl Iterator<Item = LoopHealth> {
        self.intakes.iter().map(|intake| intake.health.snapshot())
    }

    fn loops(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
