//! The outbox of one database: begins units of work, and answers for its deliveries.

use crate::backend::Backend;
use crate::builder::{OutboxBuilder, OutsideUnitOfWork};
use crate::database::{Db, failed};
use crate::inspect;
use crate::statements::Statement;
use crate::status::{self, DeliveryStatus, Identity};
use crate::values::Values;
use crate::{DeadLetters, Filter, Isolation, Options, UnitOfWork, Waiting};
use events_core::{Collector, DomainEvent, Error, EventId, LoopHealth, Orphans, OutboxStore, Publication, Relay, Stats};
use sqlx::{Pool, Transaction};
use std::{fmt, sync::Arc, time::Duration};

/// How long [`Outbox::shutdown`] lets deliveries finish.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(30);

/// The outbox of one database. Clones share it; it runs until [`shutdown`](Self::shutdown).
pub struct Outbox<DB: Backend>(Arc<Inner<DB>>);

pub(crate) struct Inner<DB: Backend> {
    pub(crate) db: Arc<Db<DB>>,
    pub(crate) relay: Relay,
    pub(crate) store: Arc<dyn OutboxStore>,
    pub(crate) source: Arc<str>,
    pub(crate) max_payload: usize,
    pub(crate) outside: OutsideUnitOfWork,
}

impl<DB: Backend> Outbox<DB> {
    /// A builder of an outbox in the database of `pool`.
    pub fn builder(pool: Pool<DB>) -> OutboxBuilder<DB> {
        OutboxBuilder::new(pool)
    }

    pub(crate) fn from_inner(inner: Arc<Inner<DB>>) -> Self {
        Self(inner)
    }

    /// The relay, for tests that drive it step by step.
    #[cfg(feature = "test-kit")]
    #[must_use]
    pub fn relay(&self) -> &Relay {
        &self.0.relay
    }

    #[cfg(not(feature = "test-kit"))]
    pub(crate) fn relay(&self) -> &Relay {
        &self.0.relay
    }

    /// The store as the relay sees it, for tests that play a relay themselves.
    #[cfg(feature = "test-kit")]
    #[must_use]
    pub fn store(&self) -> &Arc<dyn OutboxStore> {
        &self.0.store
    }

    /// Every statement this outbox runs, with the name of its file, for tests that ask the database for its plan.
    #[cfg(feature = "test-kit")]
    #[must_use]
    pub fn statements(&self) -> Vec<(&'static str, String)> {
        let db = self.db();
        db.sql.named().into_iter().chain(DB::named(&db.own)).map(|(name, statement)| (name, statement.text().to_owned())).collect()
    }

    pub(crate) fn db(&self) -> &Arc<Db<DB>> {
        &self.0.db
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Distinguishes this outbox from all others of the process.
    fn id(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    pub(crate) fn collector(&self) -> Collector {
        Collector::new(self.id(), Arc::clone(&self.0.source), self.0.max_payload)
    }

    /// Runs `work` in one transaction: COMMIT on `Ok`, rollback on `Err`, panic or cancellation.
    ///
    /// While `work` runs, [`publish`](events_core::publish) on the same task puts events into this unit of work.
    ///
    /// # Errors
    /// Those of `work`; [`Error::NestedUnitOfWork`] inside another unit of work; and as [`UnitOfWork::commit`].
    ///
    /// # Cancel safety
    /// Cancelled while `work` runs, it rolls back. For COMMIT see [`UnitOfWork::commit`].
    pub async fn run<T, E>(&self, work: impl AsyncFnOnce(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        self.options().run(work).await
    }

    /// A unit of work with other than the default settings.
    pub fn options(&self) -> Options<DB> {
        Options::of(Some(self.clone()))
    }

    /// As [`run`](Self::run), but allowed inside another unit of work, of which it is independent: it commits on its own
    /// (REQUIRES_NEW elsewhere).
    ///
    /// # Errors
    /// As [`run`](Self::run); [`Error::SingleWriter`] inside a unit of work of the same database if that has only one writer.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_independent<T, E>(&self, work: impl AsyncFnOnce(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        if DB::SINGLE_WRITER && Collector::current().is_some_and(|outer| outer.owner() == self.id()) {
            return Err(Error::SingleWriter { database: DB::SYSTEM }.into());
        }
        self.options().run_in_scope(work).await
    }

    /// Begins a unit of work, to be ended by [`UnitOfWork::commit`]. Dropping it is a rollback.
    ///
    /// Only [`UnitOfWork::publish`] finds it; the free function `publish` needs [`run`](Self::run).
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin(&self) -> Result<UnitOfWork<DB>, Error> {
        self.begin_with(None).await
    }

    pub(crate) async fn begin_with(&self, isolation: Option<Isolation>) -> Result<UnitOfWork<DB>, Error> {
        let (tx, writer) = self.0.db.begin(isolation).await?;
        Ok(UnitOfWork::new(self.clone(), tx, writer))
    }

    /// Takes over a transaction that the caller began on the same database.
    #[must_use]
    pub fn enlist(&self, tx: Transaction<'static, DB>) -> UnitOfWork<DB> {
        UnitOfWork::new(self.clone(), tx, None)
    }

    /// Publishes an event where there may be no unit of work: inside one it joins it, outside
    /// [`OutsideUnitOfWork`] decides, which the builder was given.
    ///
    /// # Errors
    /// [`Error::NoUnitOfWork`] outside a unit of work with `OutsideUnitOfWork::Reject`, the default; and as
    /// [`publish`](events_core::publish) and [`UnitOfWork::commit`].
    pub async fn publish<E: DomainEvent>(&self, event: E) -> Result<EventId, Error> {
        match Collector::current() {
            Some(collector) if collector.owner() == self.id() => collector.push(Publication::of(event)),
            _ => match self.0.outside {
                OutsideUnitOfWork::Reject => Err(Error::NoUnitOfWork { topic: E::TOPIC }),
                OutsideUnitOfWork::OwnTransaction => {
                    let uow = self.begin().await?;
                    let id = uow.publish(event)?;
                    uow.commit().await.map(|()| id)
                }
                OutsideUnitOfWork::SendNow => {
                    let collector = self.collector();
                    let id = collector.push(Publication::of(event))?;
                    self.0.relay.send_now(collector.drain()).await.map(|()| id)
                }
            },
        }
    }

    /// What has become of an event: a line for each of its targets. There is none for targets that have it already, unless
    /// [`Retention::Archive`](crate::Retention::Archive) keeps them, and none at all if it was never published or has rolled back.
    ///
    /// ```no_run
    /// # async fn f(outbox: events_sqlx::sqlite::Outbox, event: events_core::EventId) -> Result<(), events_core::Error> {
    /// for delivery in outbox.status(event).await? {
    ///     println!("{}: {:?}, {} failed attempts", delivery.target, delivery.state, delivery.attempts);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The database failed.
    pub async fn status(&self, event: EventId) -> Result<Vec<DeliveryStatus>, Error> {
        self.status_by(Identity::Event(event)).await
    }

    /// What has become of the events of a key: those that wait, oldest first, and those that were given up. What was delivered is not
    /// looked for, because the archive has no order by key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn status_of_key(&self, key: &str) -> Result<Vec<DeliveryStatus>, Error> {
        self.status_by(Identity::Key(key)).await
    }

    async fn status_by(&self, identity: Identity<'_>) -> Result<Vec<DeliveryStatus>, Error> {
        let db = self.db();
        let look = async { status::of::<DB>(&mut *Db::reading(&db.business).await?, identity, db.terms()).await };
        look.await.map_err(failed::<DB>("looking for the status of an event"))
    }

    /// Takes back an event that was published with a delay and whose time has not come, in a unit of work of its own; see
    /// [`UnitOfWork::cancel`].
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn cancel(&self, event: EventId) -> Result<bool, Error> {
        self.run(async |uow| uow.cancel(event).await).await
    }

    /// What happened since this outbox was started in this process.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.relay.stats()
    }

    /// How the background loops are doing.
    #[must_use]
    pub fn health(&self) -> Vec<LoopHealth> {
        self.0.relay.health()
    }

    /// How many deliveries are in this process's memory.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.relay.in_flight()
    }

    /// One line per event: its topic and where it goes.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        self.0.relay.registry().describe()
    }

    /// How many deliveries are not settled yet, in memory or not.
    ///
    /// # Errors
    /// The database failed.
    pub async fn waiting(&self) -> Result<u64, Error> {
        self.count(&self.db().sql.count_waiting).await.map_err(failed::<DB>("counting deliveries"))
    }

    /// Lists deliveries that are not settled yet, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list_waiting(&self, filter: &Filter) -> Result<Vec<Waiting>, Error> {
        let db = self.db();
        let list = async { inspect::waiting::<DB>(&mut *Db::reading(&db.business).await?, filter, db.terms()).await };
        list.await.map_err(failed::<DB>("listing deliveries"))
    }

    /// How many dead letters there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn dead_count(&self) -> Result<u64, Error> {
        self.count(&self.db().sql.count_dead).await.map_err(failed::<DB>("counting dead letters"))
    }

    async fn count(&self, statement: &Statement) -> sqlx::Result<u64> {
        inspect::number::<DB>(&mut *Db::<DB>::reading(&self.db().business).await?, statement, &Values::default()).await
    }

    /// The dead letters, to list, redrive and discard.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters<DB> {
        DeadLetters::of(self.clone())
    }

    /// Counts deliveries whose target this process does not have.
    ///
    /// # Errors
    /// The database failed.
    pub async fn orphans(&self) -> Result<Vec<Orphans>, Error> {
        self.0.store.orphans(&self.0.relay.target_names()).await
    }

    /// Runs maintenance now: purges what is no longer needed and counts orphans.
    ///
    /// # Errors
    /// The database failed.
    pub async fn maintain(&self) -> Result<(), Error> {
        self.0.relay.maintain().await
    }

    /// Stops leasing, lets deliveries finish for at most 30 s and gives back the leases of the rest.
    ///
    /// Units of work may go on; what they publish is stored and left to other processes or the next start.
    ///
    /// # Cancel safety
    /// When cancelled, nothing is lost: leases in memory run out. Call it again.
    pub async fn shutdown(&self) {
        self.shutdown_within(SHUTDOWN_DEADLINE).await;
    }

    /// As [`shutdown`](Self::shutdown) with a deadline of your own; returns how many deliveries were still under way at the deadline.
    pub async fn shutdown_within(&self, deadline: Duration) -> usize {
        DB::installed().clear(self);
        self.0.relay.shutdown(deadline).await
    }
}

impl<DB: Backend> Clone for Outbox<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Backend> fmt::Debug for Outbox<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("database", &DB::SYSTEM).field("source", &self.0.source).finish_non_exhaustive()
    }
}
