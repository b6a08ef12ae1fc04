//! A store that breaks down on command, between the relay and the database.

use async_trait::async_trait;
use events_core::{
    Delivery, DeliveryId, Error, Failure, InUnitOfWork, Inbox, Lease, LeaseRequest, LeaseToken, Leased, Orphans, OutboxStore,
    ProcessReport, Receipt, ReceiveOutcome, Resolution, SettleReport, Settlement, Swept, TransactOutcome, TransactionId,
};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// How a call breaks down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// With an error.
    Error,
    /// By a panic.
    Panic,
    /// By never answering.
    Hang,
    /// By an error after the work was done.
    TooLate,
}

/// What will go wrong, call by call. Clones are one script.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    next: HashMap<&'static str, VecDeque<Broken>>,
    calls: HashMap<&'static str, usize>,
    always: Option<Broken>,
    settlements: Vec<Settlement>,
}

tokio::task_local! { static GIVEN: Troubles; }

impl Troubles {
    /// The next calls of a method break down like this.
    pub fn next(&self, method: &'static str, how: impl IntoIterator<Item = Broken>) {
        self.script().next.entry(method).or_default().extend(how);
    }

    /// All calls of all methods break down like this from now on.
    pub fn always(&self, how: Broken) {
        self.script().always = Some(how);
    }

    /// No method breaks down any more, but for what was said by [`next`](Self::next).
    pub fn stop(&self) {
        self.script().always = None;
    }

    /// How often a method was called.
    #[must_use]
    pub fn calls(&self, method: &str) -> usize {
        self.script().calls.get(method).copied().unwrap_or(0)
    }

    /// What the relay wanted to be settled, so far.
    #[must_use]
    pub fn settlements(&self) -> Vec<Settlement> {
        self.script().settlements.clone()
    }

    /// Runs `start`, in which [`FaultyStore::wrap`] is given this script.
    pub async fn during<F: Future>(&self, start: F) -> F::Output {
        GIVEN.scope(self.clone(), start).await
    }

    fn take(&self, method: &'static str) -> Option<Broken> {
        let mut script = self.script();
        *script.calls.entry(method).or_default() += 1;
        script.next.get_mut(method).and_then(VecDeque::pop_front).or(script.always)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wraps a store.
pub struct FaultyStore {
    inner: Arc<dyn OutboxStore>,
    troubles: Troubles,
}

impl FaultyStore {
    /// For `wrap_store`, inside [`Troubles::during`].
    #[must_use]
    pub fn wrap(inner: Arc<dyn OutboxStore>) -> Arc<dyn OutboxStore> {
        Arc::new(Self { inner, troubles: GIVEN.get() })
    }

    async fn call<T>(&self, method: &'static str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self.troubles.take(method) {
            None => work.await,
            Some(Broken::Error) => Err(broken()),
            Some(Broken::Panic) => panic!("the store panics on command"),
            Some(Broken::Hang) => std::future::pending().await,
            Some(Broken::TooLate) => work.await.and(Err(broken())),
        }
    }
}

fn broken() -> Error {
    Error::Store { doing: "obeying a test".into(), cure: "", source: "broken on command".into() }
}

#[async_trait]
impl Inbox for FaultyStore {
    async fn receive(&self, receipt: &Receipt<'_>, handler: &dyn InUnitOfWork) -> ReceiveOutcome {
        match self.call("receive", async { Ok(self.inner.receive(receipt, handler).await) }).await {
            Ok(outcome) => outcome,
            // The connection was lost during COMMIT.
            Err(_) => ReceiveOutcome::Unknown,
        }
    }
}

#[async_trait]
impl OutboxStore for FaultyStore {
    async fn lease(&self, request: &LeaseRequest) -> Result<Leased, Error> {
        self.call("lease", self.inner.lease(request)).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<SettleReport, Error> {
        self.troubles.script().settlements.extend_from_slice(settlements);
        self.call("settle", self.inner.settle(settlements)).await
    }

    async fn remember(&self, lease: Lease, failures: &[Failure]) -> Result<bool, Error> {
        self.call("remember", self.inner.remember(lease, failures)).await
    }

    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<DeliveryId>, Error> {
        self.call("renew", self.inner.renew(leases, lease)).await
    }

    async fn transact(&self, delivery: &Delivery, handler: &dyn InUnitOfWork) -> TransactOutcome {
        match self.call("transact", async { Ok(self.inner.transact(delivery, handler).await) }).await {
            Ok(outcome) => outcome,
            // The connection was lost during COMMIT.
            Err(_) => TransactOutcome::Unknown,
        }
    }

    async fn identity(&self) -> Result<String, Error> {
        self.call("identity", self.inner.identity()).await
    }

    async fn resolve(&self, transaction: TransactionId, lifetime: Duration) -> Result<Resolution, Error> {
        self.call("resolve", self.inner.resolve(transaction, lifetime)).await
    }

    async fn purge(&self, limit: u32) -> Result<u64, Error> {
        self.call("purge", self.inner.purge(limit)).await
    }

    async fn sweep(&self, limit: u32) -> Result<Swept, Error> {
        self.call("sweep", self.inner.sweep(limit)).await
    }

    async fn adopt(&self, renamed: &[(Arc<str>, Arc<str>)]) -> Result<u64, Error> {
        self.call("adopt", self.inner.adopt(renamed)).await
    }

    async fn orphans(&self, known: &[Arc<str>]) -> Result<Vec<Orphans>, Error> {
        self.call("orphans", self.inner.orphans(known)).await
    }

    async fn lead(&self, name: &str, token: LeaseToken, lease: Duration) -> Result<bool, Error> {
        self.call("lead", self.inner.lead(name, token, lease)).await
    }

    async fn resign(&self, name: &str, token: LeaseToken) -> Result<(), Error> {
        self.call("resign", self.inner.resign(name, token)).await
    }

    async fn check_in(&self, process: Uuid, report: &ProcessReport) -> Result<(), Error> {
        self.call("check_in", self.inner.check_in(process, report)).await
    }

    async fn check_out(&self, process: Uuid) -> Result<(), Error> {
        self.call("check_out", self.inner.check_out(process)).await
    }

    async fn announce(&self) -> Result<(), Error> {
        self.call("announce", self.inner.announce()).await
    }

    async fn listen(&self, wake: Arc<dyn Fn() + Send + Sync>) -> Result<(), Error> {
        self.call("listen", self.inner.listen(wake)).await
    }
}
