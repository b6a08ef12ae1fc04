//! Receiving without an outbox: for processes that have no database.

use crate::instrument;
use crate::reception::Reception;
use crate::stats::Counters;
use crate::{BuildError, HandlerFn, Inbox, LoopHealth, Registry, RegistryBuilder, Stats, Subscription};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often `shutdown` looks whether everything is handled.
const SHUTDOWN_POLL: Duration = Duration::from_millis(5);
/// How long [`Receiver::shutdown`] lets handlers finish.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(30);

/// Runs `#[subscribe]` handlers in a process without an outbox. What was handled is remembered by an [`Inbox`], such as
/// `events_mq::redis::RedisInbox`. Clones are one receiver; it runs until [`shutdown`](Self::shutdown).
///
/// Such handlers take no `&mut UnitOfWork`, and their effects are not in one transaction with the inbox: what it promises about a crash
/// is the inbox's to say. With a database, give the subscription to the outbox builder instead.
///
/// ```no_run
/// # use events_core::{BuildError, Inbox, Receiver, Subscription};
/// # async fn example(inbox: impl Inbox, subscription: impl Subscription + 'static) -> Result<(), BuildError> {
/// let receiver = Receiver::builder(inbox).subscribe("mailing", subscription).start()?;
/// // ..
/// receiver.shutdown().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Receiver(Arc<Reception>);

/// Collects what a [`Receiver`] needs.
#[must_use]
pub struct ReceiverBuilder {
    registry: RegistryBuilder,
    inbox: Arc<dyn Inbox>,
    name: Arc<str>,
}

impl ReceiverBuilder {
    /// What metrics have as the label `outbox`, so that several receivers in one process can be told apart. Default `default`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Gives shared state to handlers that take `State<T>`.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        self.registry.state(state);
        self
    }

    /// Adds a subscription, whose events go to the `#[subscribe]` handlers of that group.
    pub fn subscribe(mut self, group: impl Into<String>, subscription: impl Subscription + 'static) -> Self {
        self.registry.subscribe(group, subscription);
        self
    }

    /// Adds a handler that is marked `manual`.
    pub fn handler<H: HandlerFn>(mut self) -> Self {
        self.registry.handler::<H>();
        self
    }

    /// Takes only the handlers given with [`handler`](Self::handler); those linked into the program are left out.
    pub fn without_linked_handlers(mut self) -> Self {
        self.registry.without_linked_handlers();
        self
    }

    /// Checks that everything fits together, and begins to receive.
    ///
    /// # Errors
    /// Everything that is wrong, in one [`BuildError`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start(mut self) -> Result<Receiver, BuildError> {
        self.registry.receive_only();
        let mut registry = self.registry.build()?;
        let subscribed = std::mem::take(&mut registry.subscribed);
        instrument::describe();
        let reception = Reception::new(self.name, subscribed, self.inbox, Arc::new(registry), Arc::new(Counters::default()));
        reception.start();
        Ok(Receiver(reception))
    }
}

impl Receiver {
    /// A receiver that remembers in `inbox` what was handled.
    pub fn builder(inbox: impl Inbox) -> ReceiverBuilder {
        ReceiverBuilder { registry: Registry::builder(), inbox: Arc::new(inbox), name: Arc::from("default") }
    }

    /// What happened since it was started: `received`, `duplicates` and `handler_panics`; nothing else happens here.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.counters.snapshot()
    }

    /// How the subscriptions are doing.
    #[must_use]
    pub fn health(&self) -> Vec<LoopHealth> {
        self.0.health().collect()
    }

    /// How many events are handled, or wait for one of their key.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    /// Receives no more, and lets what is handled finish for at most 30 s; the rest comes again. Returns how many were aborted.
    ///
    /// # Cancel safety
    /// When cancelled, nothing more is received, and what is handled goes on. Call it again.
    pub async fn shutdown(&self) -> usize {
        let end = Instant::now() + SHUTDOWN_DEADLINE;
        self.0.close().await;
        while self.in_flight() > 0 && Instant::now() < end {
            tokio::time::sleep(SHUTDOWN_POLL).await;
        }
        let left = self.in_flight();
        self.0.abort();
        left
    }
}
