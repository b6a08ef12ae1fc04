//! Transports that store events invisibly until they hear that the transaction has committed, and ask back when they hear nothing.

use crate::engine::Engine;
use crate::{BoxFuture, DeliveryError, Envelope, Error, HandOver};
use async_trait::async_trait;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::{Arc, Weak};
use std::time::Instant;
use std::{fmt, future::Future};
use uuid::Uuid;

/// The unit of work that an event waits for. A row with this id, written in its transaction, says that it has committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub Uuid);

impl TransactionId {
    /// A fresh id, a UUIDv7.
    #[must_use]
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the database says about a transaction when a broker asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It has committed: its events are to be delivered.
    Commit,
    /// It has not, and never will: its events are to be forgotten.
    Rollback,
    /// It may be under way, or the database does not answer: ask again later.
    Unknown,
}

/// A transport with a protocol of two phases, as RocketMQ's transactional messages. It takes the place of the outbox for its events:
/// nothing is stored for them but one row per transaction.
#[async_trait]
pub trait TwoPhaseTransport: Send + Sync + 'static {
    /// Names the transport in `to = ".."`.
    fn name(&self) -> &str;

    /// Begins to answer the broker's questions, now and after every outage, until the checker is [gone](TransactionChecker::is_gone). Called
    /// once, before anything is prepared.
    ///
    /// # Errors
    /// Questions can never be answered like this. A broker that is away is no error.
    async fn attend(&self, checker: Arc<dyn TransactionChecker>) -> Result<(), DeliveryError>;

    /// Stores events invisibly, all or none.
    ///
    /// # Errors
    /// They are not stored, or will be forgotten; the transaction is rolled back.
    async fn prepare(&self, transaction: TransactionId, batch: &[Arc<Envelope>]) -> Result<Box<dyn Prepared>, DeliveryError>;
}

/// Events that a broker has stored and does not show. Dropping them leaves the decision to the broker, which asks.
pub trait Prepared: Send + Sync {
    /// Shows them.
    fn confirm(self: Box<Self>) -> BoxFuture<'static, Result<(), DeliveryError>>;
    /// Forgets them.
    fn cancel(self: Box<Self>) -> BoxFuture<'static, Result<(), DeliveryError>>;
}

/// Answers the questions of a broker from the database, never from memory: any process of the same outbox gives the same answer.
#[async_trait]
pub trait TransactionChecker: Send + Sync + 'static {
    /// Which outbox this is: the same for all its processes, and for no other. Questions must reach nobody else, who could only say that
    /// there is no such transaction.
    fn outbox(&self) -> &str;
    /// Whether the process has shut down.
    fn is_gone(&self) -> bool;
    /// What became of a transaction.
    async fn check(&self, transaction: TransactionId) -> Resolution;
}

/// The checker of an engine, which it does not keep.
struct Checker {
    engine: Weak<Engine>,
    outbox: String,
}

#[async_trait]
impl TransactionChecker for Checker {
    fn outbox(&self) -> &str {
        &self.outbox
    }

    fn is_gone(&self) -> bool {
        self.engine.upgrade().is_none_or(|engine| engine.is_closing())
    }

    async fn check(&self, transaction: TransactionId) -> Resolution {
        let Some(engine) = self.engine.upgrade() else { return Resolution::Unknown };
        engine.meter.checked();
        let resolve = engine.store.resolve(transaction, engine.options.transaction_lifetime);
        match engine.bounded("looking for what became of a transaction", resolve).await {
            Ok(resolution) => resolution,
            Err(error) => {
                engine.meter.store_error();
                tracing::warn!(%transaction, error = error.report(), "a broker asks about a transaction, and the database does not answer");
                Resolution::Unknown
            }
        }
    }
}

impl Engine {
    /// Lets the brokers of two-phase transports ask.
    pub(crate) async fn attend(self: &Arc<Self>) -> Result<(), Error> {
        if self.registry.two_phase.is_empty() {
            return Ok(());
        }
        let outbox = self.store.identity().await?;
        for transport in &self.registry.two_phase {
            let checker = Checker { engine: Arc::downgrade(self), outbox: outbox.clone() };
            transport.attend(Arc::new(checker)).await.map_err(|error| failed(transport.name(), error))?;
        }
        Ok(())
    }

    /// Tells brokers how it ended, in the background: they would ask, but not at once.
    fn tell(self: &Arc<Self>, transaction: TransactionId, prepared: Vec<Box<dyn Prepared>>, committed: bool) {
        if prepared.is_empty() {
            return;
        }
        let telling = Telling::begin(Arc::clone(self));
        let tell = async move {
            let engine = &telling.0;
            for prepared in prepared {
                let told = if committed { prepared.confirm() } else { prepared.cancel() };
                let told = tokio::time::timeout(engine.options.call_timeout, told).await;
                let error = match told {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.report()),
                    Err(_) => Some("it did not answer in time".to_owned()),
                };
                match error {
                    None if committed => engine.meter.confirmed(),
                    None => {}
                    Some(error) => {
                        engine.meter.unconfirmed();
                        tracing::warn!(%transaction, committed, error, "a broker could not be told how a transaction ended; it will ask");
                    }
                }
            }
        };
        self.runtime.spawn(tell);
    }
}

/// A broker is being told; a shutdown waits for it.
struct Telling(Arc<Engine>);

impl Telling {
    fn begin(engine: Arc<Engine>) -> Self {
        engine.telling.fetch_add(1, AcqRel);
        Self(engine)
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.telling.fetch_sub(1, AcqRel);
    }
}

impl HandOver {
    /// Whether some of the events go to two-phase transports.
    #[must_use]
    pub fn is_two_phase(&self) -> bool {
        !self.two_phase.is_empty()
    }

    /// Stores the events of two-phase transports at their brokers, invisibly.
    ///
    /// # Errors
    /// A broker refused or is away. What others have stored is cancelled.
    ///
    /// # Cancel safety
    /// What was stored is cancelled, or the broker asks.
    pub async fn prepare(&mut self) -> Result<PreparedEvents, Error> {
        let engine = &self.engine;
        let mut all = PreparedEvents {
            engine: Arc::clone(engine),
            transaction: TransactionId::now(),
            prepared: Vec::new(),
            deadline: Instant::now() + engine.options.transaction_lifetime,
            is_open: true,
        };
        for (index, batch) in std::mem::take(&mut self.two_phase) {
            let transport = &engine.registry.two_phase[index];
            let prepared = transport.prepare(all.transaction, &batch).await;
            all.prepared.push(prepared.map_err(|error| failed(transport.name(), error))?);
        }
        Ok(all)
    }
}

fn failed(transport: &str, error: DeliveryError) -> Error {
    Error::TwoPhase { transport: transport.to_owned(), source: error.into_source() }
}

/// The events of one transaction that brokers have stored and do not show. Dropped before [`leave`](Self::leave), they are cancelled.
#[must_use = "call `.confirm()` after COMMIT"]
pub struct PreparedEvents {
    engine: Arc<Engine>,
    transaction: TransactionId,
    prepared: Vec<Box<dyn Prepared>>,
    deadline: Instant,
    /// Whether it is certain that the transaction has not committed.
    is_open: bool,
}

impl PreparedEvents {
    /// The transaction, to be written down in itself.
    #[must_use]
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// Does the last work before COMMIT, which must be through before brokers may ask.
    ///
    /// # Errors
    /// Those of `work`; [`Error::TransactionTooSlow`] if it took too long.
    pub async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let too_slow = || Error::TransactionTooSlow { lifetime: self.engine.options.transaction_lifetime };
        let done = tokio::time::timeout_at(self.deadline.into(), work).await.map_err(|_| too_slow())??;
        if Instant::now() < self.deadline { Ok(done) } else { Err(too_slow()) }
    }

    /// From now on only the database knows: COMMIT is about to be sent.
    pub fn leave(&mut self) {
        self.is_open = false;
    }

    /// The database has rolled back for certain.
    pub fn cancel(mut self) {
        self.is_open = true;
    }

    /// The database has committed: the brokers are told in the background. Never waits, so that no cancellation can come in between.
    pub fn confirm(mut self) {
        self.engine.tell(self.transaction, std::mem::take(&mut self.prepared), true);
    }
}

impl Drop for PreparedEvents {
    fn drop(&mut self) {
        if self.is_open {
            self.engine.tell(self.transaction, std::mem::take(&mut self.prepared), false);
        }
    }
}

impl fmt::Debug for PreparedEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedEvents").field("transaction", &self.transaction).finish_non_exhaustive()
    }
}
