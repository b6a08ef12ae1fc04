//! Puts an outbox together and starts it.

use crate::UnitOfWork;
use crate::backend::Backend;
#[cfg(feature = "encryption")]
use crate::cipher::Cipher;
use crate::database::Db;
use crate::inbox::RETENTION;
use crate::migrate::{check_schema, migrate_in};
use crate::outbox::{Inner, Outbox};
use crate::statements::Schema;
use crate::store::Store;
#[cfg(feature = "encryption")]
use events_core::PayloadKeys;
use events_core::{
    BuildError, Clock, DomainEvent, Error, HandlerFn, OutboxStore, Registry, RegistryBuilder, Relay, RelayOptions, RetryPolicy,
    Subscription, Transport, TwoPhaseTransport,
};
use sqlx::Pool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// The largest payload `publish` takes unless the builder says otherwise, in bytes.
const MAX_PAYLOAD: usize = 1024 * 1024;

/// What [`Outbox::publish`] does outside a unit of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutsideUnitOfWork {
    /// It is an error: an event without a transaction is most often a mistake.
    #[default]
    Reject,
    /// The event is stored in a transaction of its own, and then delivered like every other.
    OwnTransaction,
    /// The event is delivered to all its targets at once without being stored; what fails is an error and is not retried.
    SendNow,
}

/// What becomes of delivered deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// They are deleted.
    #[default]
    Delete,
    /// They are moved to `outbox_archive` and purged after so long.
    Archive(Duration),
}

/// Collects what an outbox needs. Handlers that are linked into the program are found by themselves.
#[must_use = "an outbox does nothing until `.install()` or `.start()` is called"]
pub struct OutboxBuilder<DB: Backend> {
    pool: Pool<DB>,
    registry: RegistryBuilder,
    relay: RelayOptions,
    name: Option<Arc<str>>,
    source: Arc<str>,
    max_payload: usize,
    retention: Retention,
    inbox_retention: Duration,
    outside: OutsideUnitOfWork,
    clock: Clock,
    schema: Option<String>,
    migrate: bool,
    notify: bool,
    publish_only: bool,
    #[cfg(feature = "encryption")]
    keys: Option<PayloadKeys>,
    wrap: fn(Arc<dyn OutboxStore>) -> Arc<dyn OutboxStore>,
}

impl<DB: Backend> OutboxBuilder<DB> {
    pub(crate) fn new(pool: Pool<DB>) -> Self {
        let mut registry = Registry::builder();
        registry.unit_of_work::<UnitOfWork<DB>>();
        Self {
            pool,
            registry,
            relay: RelayOptions::default(),
            name: None,
            source: Arc::from("/"),
            max_payload: MAX_PAYLOAD,
            retention: Retention::default(),
            inbox_retention: RETENTION,
            outside: OutsideUnitOfWork::default(),
            clock: Clock::database(),
            schema: None,
            migrate: true,
            notify: true,
            publish_only: false,
            #[cfg(feature = "encryption")]
            keys: None,
            wrap: |store| store,
        }
    }

    /// Gives shared state to handlers that take `State<T>`.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> Self {
        self.registry.state(state);
        self
    }

    /// Adds a transport. With one transport every event that is not `local` goes to it; with several, events say `to = ".."`.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.registry.transport(transport);
        self
    }

    /// Adds a transport with two phases, which takes the place of the outbox for its events: they are stored at the broker, invisibly,
    /// before COMMIT, and shown after it. Without another transport every event that is not `local` goes there; beside others, events say
    /// `to = ".."`. Handlers get their events by the outbox as ever.
    ///
    /// The transaction stays open while the broker stores the events, and cannot commit while it is away. See the documentation of the
    /// transport for when that is worth it.
    pub fn two_phase(mut self, transport: impl TwoPhaseTransport) -> Self {
        self.registry.two_phase(transport);
        self
    }

    /// Adds a subscription of a broker, or of [`MemoryTransport`](events_core::MemoryTransport): its events go to the `#[subscribe]` handlers
    /// of that group. Each runs in a unit of work of its own with a row in the inbox, so its effect on the database is exactly once. An
    /// event is acknowledged when all handlers of the group that take it have committed.
    ///
    /// At most 16 events of a subscription are handled at once, of one key one after the other. On shutdown nothing more is received,
    /// what is under way is finished, and what was prefetched goes back.
    pub fn subscribe(mut self, group: impl Into<String>, subscription: impl Subscription + 'static) -> Self {
        self.registry.subscribe(group, subscription);
        self
    }

    /// Adds a handler that is marked `manual`.
    pub fn handler<H: HandlerFn>(mut self) -> Self {
        self.registry.handler::<H>();
        self
    }

    /// Declares an event type whose `DomainEvent` was written by hand.
    pub fn event<E: DomainEvent>(mut self) -> Self {
        self.registry.event::<E>();
        self
    }

    /// Takes only the handlers given with [`handler`](Self::handler), not those linked into the program.
    pub fn without_linked_handlers(mut self) -> Self {
        self.registry.without_linked_handlers();
        self
    }

    /// Accepts events that no handler and no transport takes.
    pub fn allow_unrouted(mut self) -> Self {
        self.registry.allow_unrouted();
        self
    }

    /// The retry policy of transports and handlers that do not have their own.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.registry.retry(policy);
        self
    }

    /// The limits of the relay: leases, polling, batches, memory.
    pub fn relay(mut self, options: RelayOptions) -> Self {
        self.relay = options;
        self
    }

    /// Makes this a process that only publishes: it stores deliveries, and other processes deliver them. It scans, renews and settles
    /// nothing. It must know the same handlers and transports, because they say which deliveries there are to store; but they are not
    /// called, so what `#[after_commit]` handlers take as `State` may be missing.
    pub fn publish_only(mut self) -> Self {
        self.publish_only = true;
        self
    }

    /// What metrics have as the label `outbox`, so that several outboxes can be told apart. Default `default`. Processes on one outbox should
    /// say the same.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Names this service in its events, as a URI reference such as `/orders`. Default `/`.
    pub fn source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.source = source.into();
        self
    }

    /// The largest payload that `publish` takes, in bytes. Default 1 MiB.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// What becomes of delivered deliveries. Default [`Retention::Delete`].
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Encrypts payloads in the database: in the outbox, among the dead letters and in the archive. Handlers, transports and receivers get them
    /// in clear. What was stored before stays readable.
    ///
    /// All processes of an outbox have the same keys. One that lacks the key of a payload hands it back without an attempt, and says in its log
    /// which key it lacks. So give a new key to all processes as an old one first (`and_old`), and make it the current one then.
    #[cfg(feature = "encryption")]
    pub fn encrypt(mut self, keys: PayloadKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// How long the inbox remembers what was received. An event that comes again later than that has its effect again: keep it longer than
    /// brokers and dead letters keep events. Default 30 days.
    pub fn inbox_retention(mut self, keep: Duration) -> Self {
        self.inbox_retention = keep;
        self
    }

    /// What [`Outbox::publish`] does outside a unit of work. Default [`OutsideUnitOfWork::Reject`].
    pub fn outside_unit_of_work(mut self, policy: OutsideUnitOfWork) -> Self {
        self.outside = policy;
        self
    }

    /// Leaves the tables to [`migrate`](crate::migrate) or to you; their version is still checked.
    pub fn without_migrations(mut self) -> Self {
        self.migrate = false;
        self
    }

    /// Replaces the database's clock by one that tests move.
    #[cfg(feature = "test-kit")]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Puts something between the relay and the database, so that tests can make it fail.
    #[cfg(feature = "test-kit")]
    pub fn wrap_store(mut self, wrap: fn(Arc<dyn OutboxStore>) -> Arc<dyn OutboxStore>) -> Self {
        self.wrap = wrap;
        self
    }

    /// Checks everything, migrates the tables, starts the relay, and makes this the outbox of [`UnitOfWork::run`].
    ///
    /// # Errors
    /// [`Error::Build`] names everything that does not fit together; [`Error::AlreadyInstalled`] if this database system has an
    /// installed outbox; or the database failed.
    pub async fn install(self) -> Result<Outbox<DB>, Error> {
        if DB::installed().is_taken() {
            return Err(Error::AlreadyInstalled { database: DB::SYSTEM });
        }
        let outbox = self.start().await?;
        if let Err(error) = DB::installed().set(outbox.clone(), false) {
            // Two installs at once: the second one to get here has started for nothing.
            outbox.shutdown().await;
            return Err(error);
        }
        Ok(outbox)
    }

    /// As [`install`](Self::install), but takes the place of an installed outbox, which goes on running until it is shut down.
    ///
    /// # Errors
    /// As [`install`](Self::install), except [`Error::AlreadyInstalled`].
    pub async fn install_replacing(self) -> Result<Outbox<DB>, Error> {
        let outbox = self.start().await?;
        DB::installed().set(outbox.clone(), true)?;
        Ok(outbox)
    }

    /// As [`install`](Self::install), but only [`Outbox::run`] reaches it.
    ///
    /// # Errors
    /// As [`install`](Self::install), except [`Error::AlreadyInstalled`].
    pub async fn start(self) -> Result<Outbox<DB>, Error> {
        let outbox = self.build().await?;
        outbox.relay().start();
        Ok(outbox)
    }

    /// As [`start`](Self::start), but without background loops: nothing is scanned, settled or renewed by itself.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    #[cfg(feature = "test-kit")]
    pub async fn start_idle(self) -> Result<Outbox<DB>, Error> {
        self.build().await
    }

    async fn build(mut self) -> Result<Outbox<DB>, Error> {
        self.relay.name = self.name.unwrap_or(self.relay.name);
        self.relay.check()?;
        self.relay.publish_only |= self.publish_only;
        if self.relay.publish_only {
            self.registry.publish_only();
        }
        if self.relay.publish_only && self.outside == OutsideUnitOfWork::SendNow {
            return Err(BuildError::InvalidOption {
                option: "the policy outside units of work",
                value: "`SendNow`".into(),
                rule: "a process that only publishes delivers nothing itself; choose `OwnTransaction`",
            }
            .into());
        }
        if self.max_payload == 0 {
            return Err(BuildError::InvalidOption { option: "the payload limit", value: "0".into(), rule: "events need some bytes" }.into());
        }
        BuildError::check_name("the source", &self.source)?;
        #[cfg(feature = "encryption")]
        self.keys.as_ref().map_or(Ok(()), PayloadKeys::check)?;
        let schema = self.schema.as_deref().map_or(Ok(Schema::default()), Schema::named)?;
        let registry = self.registry.build()?;
        for line in registry.describe() {
            tracing::info!("{line}");
        }
        if let names @ [_, ..] = registry.repeatable() {
            tracing::info!(
                "{} may be called again with the same event: after an error, and after a crash even if all went well; take `&mut UnitOfWork`, \
                 or say `#[after_commit(idempotent)]` or `#[after_commit(at_most_once)]`",
                names.join(", ")
            );
        }
        DB::prepare(&self.pool).await?;
        if self.migrate {
            migrate_in(&self.pool, &schema).await?;
        } else {
            check_schema(&self.pool, &schema).await?;
        }
        let db = Db::new(self.pool, &schema, self.clock, self.retention, self.notify).remembering(self.inbox_retention);
        #[cfg(feature = "encryption")]
        let db = db.sealing(Cipher::with(self.keys));
        let db = Arc::new(db);
        let store = Arc::new(Store { db: Arc::clone(&db), outbox: OnceLock::new(), swept: Mutex::default() });
        let seen_by_relay = (self.wrap)(Arc::clone(&store) as Arc<dyn OutboxStore>);
        let relay = Relay::new(registry, Arc::clone(&seen_by_relay), self.relay)?;
        relay.adopt().await?;
        relay.attend().await?;
        let inner =
            Arc::new(Inner { db, relay, store: seen_by_relay, source: self.source, max_payload: self.max_payload, outside: self.outside });
        // The cell was made a few lines above; nobody else can have set it.
        let _ = store.outbox.set(Arc::downgrade(&inner));
        Ok(Outbox::from_inner(inner))
    }
}

#[cfg(feature = "mysql")]
impl OutboxBuilder<sqlx::MySql> {
    /// Keeps the outbox tables in another database of the same server, so that one transaction spans
    /// the business tables and the outbox. The database must exist.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = Some(name.into());
        self
    }
}

#[cfg(feature = "postgres")]
impl OutboxBuilder<sqlx::Postgres> {
    /// Keeps the outbox tables in another schema of the same database, so that one transaction spans
    /// the business tables and the outbox. The schema must exist.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = Some(name.into());
        self
    }

    /// Whether processes wake each other up with LISTEN and NOTIFY, so that what one of them leaves to the others does not wait for
    /// their next poll. Default true; it costs each delivering process one connection.
    ///
    /// Nothing is notified inside business transactions, and nothing depends on it. A process that connects through a pooler such as
    /// PgBouncer notices that, says so in the log and does not listen, because there a LISTEN would disturb the transactions of others;
    /// it still wakes processes that connect directly.
    pub fn notify(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }
}
