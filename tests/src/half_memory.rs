//! A two-phase transport in memory: what it has stored, what it shows, and a broker's questions at moments that a test chooses.

use async_trait::async_trait;
use events_core::test_kit::Faults;
use events_core::{BoxFuture, DeliveryError, Envelope, Prepared, Resolution, TransactionChecker, TransactionId, TwoPhaseTransport};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What happens while events are being prepared, after they were stored.
type Meanwhile = Arc<dyn Fn(HalfMemory, TransactionId) -> BoxFuture<'static, ()> + Send + Sync>;

/// The transport, and the broker behind it. Clones are one.
#[derive(Clone, Default)]
pub struct HalfMemory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    name: OnceLock<&'static str>,
    checker: OnceLock<Arc<dyn TransactionChecker>>,
    state: Mutex<State>,
    /// How preparing fails.
    preparing: Faults,
    /// How telling it fails.
    telling: Faults,
}

#[derive(Default)]
struct State {
    hidden: BTreeMap<TransactionId, Vec<Arc<Envelope>>>,
    shown: Vec<Arc<Envelope>>,
    meanwhile: Option<Meanwhile>,
}

impl HalfMemory {
    /// One with another name than `half`.
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        let this = Self::default();
        let _ = this.0.name.set(name);
        this
    }

    /// How preparing fails.
    #[must_use]
    pub fn preparing(&self) -> &Faults {
        &self.0.preparing
    }

    /// How it fails to hear how a transaction ended.
    #[must_use]
    pub fn telling(&self) -> &Faults {
        &self.0.telling
    }

    /// Does something each time when events are stored, before their transaction goes on.
    pub fn meanwhile(&self, work: impl Fn(Self, TransactionId) -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        self.state().meanwhile = Some(Arc::new(work));
    }

    /// What consumers see.
    #[must_use]
    pub fn shown(&self) -> Vec<Arc<Envelope>> {
        self.state().shown.clone()
    }

    /// The transactions of which it does not know how they ended.
    #[must_use]
    pub fn hidden(&self) -> Vec<TransactionId> {
        self.state().hidden.keys().copied().collect()
    }

    /// Asks about a transaction, without acting on the answer.
    ///
    /// # Panics
    /// Nobody attends.
    pub async fn ask(&self, transaction: TransactionId) -> Resolution {
        self.0.checker.get().expect("somebody attends").check(transaction).await
    }

    /// Asks about everything that is hidden, and does as it is told.
    pub async fn ask_all(&self) {
        for transaction in self.hidden() {
            match self.ask(transaction).await {
                Resolution::Commit => self.end(transaction, true),
                Resolution::Rollback => self.end(transaction, false),
                Resolution::Unknown => {}
            }
        }
    }

    fn end(&self, transaction: TransactionId, committed: bool) {
        let mut state = self.state();
        let events = state.hidden.remove(&transaction).unwrap_or_default();
        if committed {
            state.shown.extend(events);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TwoPhaseTransport for HalfMemory {
    fn name(&self) -> &str {
        self.0.name.get().copied().unwrap_or("half")
    }

    async fn attend(&self, checker: Arc<dyn TransactionChecker>) -> Result<(), DeliveryError> {
        self.0.checker.set(checker).map_err(|_| DeliveryError::terminal("somebody attends already"))
    }

    async fn prepare(&self, transaction: TransactionId, batch: &[Arc<Envelope>]) -> Result<Box<dyn Prepared>, DeliveryError> {
        self.preparing().strike().await?;
        let meanwhile = {
            let mut state = self.state();
            state.hidden.insert(transaction, batch.to_vec());
            state.meanwhile.clone()
        };
        if let Some(meanwhile) = meanwhile {
            meanwhile(self.clone(), transaction).await;
        }
        Ok(Box::new(Half { memory: self.clone(), transaction }))
    }
}

struct Half {
    memory: HalfMemory,
    transaction: TransactionId,
}

impl Half {
    async fn told(&self, committed: bool) -> Result<(), DeliveryError> {
        self.memory.telling().strike().await?;
        self.memory.end(self.transaction, committed);
        Ok(())
    }
}

impl Prepared for Half {
    fn confirm(self: Box<Self>) -> BoxFuture<'static, Result<(), DeliveryError>> {
        Box::pin(async move { self.told(true).await })
    }

    fn cancel(self: Box<Self>) -> BoxFuture<'static, Result<(), DeliveryError>> {
        Box::pin(async move { self.told(false).await })
    }
}
