//! One database transaction and the events it causes.

use crate::backend::{Backend, CommitFailure, TermsOf};
use crate::database::{Writer, failed};
use crate::settlements::{self, Settled};
use crate::{Options, Outbox, status, transactions};
use events_core::{
    Collected, Collector, Completion, DomainEvent, Error, EventId, HandOver, PreparedEvents, Publication, Settlement, TransactionId,
    UnitOfWorkArg,
};
use sqlx::Transaction;
use std::fmt;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;
use time::OffsetDateTime;
use tracing::{Instrument, Span, debug_span, field::Empty};

/// One database transaction plus the events it causes.
///
/// Deliberately without a lifetime parameter: only then is `AsyncFnOnce(&mut UnitOfWork<DB>)` general enough for the future to be
/// `Send` when it is spawned (rust-lang/rust#126350).
pub struct UnitOfWork<DB: Backend> {
    tx: Transaction<'static, DB>,
    events: Events<DB>,
    /// How many savepoints are open; it numbers them.
    savepoints: usize,
    /// Whether a savepoint's future was dropped half-way.
    abandoned: Arc<AtomicBool>,
    writer: Writer,
}

/// The events of a unit of work. Unless it is told otherwise, its drop is a rollback.
struct Events<DB: Backend> {
    outbox: Outbox<DB>,
    collector: Collector,
    /// Events whose savepoint was rolled back; handlers of rollbacks hear of them when the unit of work is over.
    undone: Vec<Collected>,
    /// The events once they are on their way to COMMIT.
    committing: Vec<Collected>,
    completion: Completion,
}

impl<DB: Backend> Drop for Events<DB> {
    fn drop(&mut self) {
        let registry = self.outbox.relay().registry();
        registry.completed(std::mem::take(&mut self.undone), Completion::RolledBack);
        self.committing.append(&mut self.collector.drain());
        registry.completed(std::mem::take(&mut self.committing), self.completion);
    }
}

/// Notes that a savepoint was abandoned, unless it is disarmed.
struct DropGuard(Option<Arc<AtomicBool>>);

impl DropGuard {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(abandoned) = &self.0 {
            abandoned.store(true, Ordering::Release);
        }
    }
}

/// How a commit went, where it was no error.
#[derive(Debug)]
pub(crate) enum Committed {
    Yes {
        freed: u64,
    },
    /// The delivery to settle had lost its lease; everything was rolled back.
    LeaseLost,
}

impl<DB: Backend> UnitOfWork<DB> {
    /// Runs `work` in a unit of work of the installed outbox: COMMIT on `Ok`, rollback on `Err`, panic or cancellation.
    ///
    /// ```no_run
    /// # use events_core::{domain_event, publish};
    /// # use events_sqlx::sqlite::UnitOfWork;
    /// # #[domain_event(topic = "order.payok", local)] #[derive(serde::Serialize, serde::Deserialize)] struct OrderPaid { order_id: i64 }
    /// # async fn f(id: i64) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// UnitOfWork::run(async |uow| {
    ///     sqlx::query("UPDATE orders SET paid = 1 WHERE id = ?").bind(id).execute(uow.conn()).await?;
    ///     publish(OrderPaid { order_id: id })?;
    ///     Ok(())
    /// }).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `work`, and as [`Outbox::run`].
    ///
    /// # Cancel safety
    /// As [`Outbox::run`].
    pub async fn run<T, E>(work: impl AsyncFnOnce(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        DB::installed().get()?.run(work).await
    }

    /// A unit of work of the installed outbox with other than the default settings: isolation, a limit on its time, repetition.
    pub fn options() -> Options<DB> {
        Options::of(None)
    }

    /// As [`run`](Self::run), but allowed inside another unit of work, of which it is independent: it commits on its own.
    ///
    /// # Errors
    /// Those of `work`, and as [`Outbox::run_independent`].
    pub async fn run_independent<T, E>(work: impl AsyncFnOnce(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        DB::installed().get()?.run_independent(work).await
    }

    /// Begins a unit of work of the installed outbox, to be ended by [`commit`](Self::commit). Dropping it is a rollback.
    ///
    /// # Errors
    /// No outbox is installed, or the database failed.
    pub async fn begin() -> Result<Self, Error> {
        DB::installed().get()?.begin().await
    }

    /// Takes over a transaction that the caller began, for the installed outbox.
    ///
    /// # Errors
    /// No outbox is installed.
    pub fn enlist(tx: Transaction<'static, DB>) -> Result<Self, Error> {
        Ok(DB::installed().get()?.enlist(tx))
    }

    pub(crate) fn new(outbox: Outbox<DB>, tx: Transaction<'static, DB>, writer: Writer) -> Self {
        let collector = outbox.collector();
        let events = Events { outbox, collector, undone: Vec::new(), committing: Vec::new(), completion: Completion::RolledBack };
        Self { tx, events, savepoints: 0, abandoned: Arc::default(), writer }
    }

    pub(crate) fn collector(&self) -> &Collector {
        &self.events.collector
    }

    /// The connection of this transaction, usable as a sqlx executor.
    pub fn conn(&mut self) -> &mut DB::Connection {
        &mut self.tx
    }

    /// Publishes an event; the explicit form of [`events_core::publish`].
    ///
    /// # Errors
    /// The event cannot be serialized or is too large.
    pub fn publish<E: DomainEvent>(&self, event: E) -> Result<EventId, Error> {
        self.publish_with(Publication::of(event))
    }

    /// Publishes an event that becomes deliverable only when `delay` has passed after COMMIT; see [`events_core::publish_in`].
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_in<E: DomainEvent>(&self, delay: Duration, event: E) -> Result<EventId, Error> {
        self.publish_with(Publication::of(event).delay(delay))
    }

    /// Publishes an event that becomes deliverable at a moment; see [`events_core::publish_at`].
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_at<E: DomainEvent>(&self, at: OffsetDateTime, event: E) -> Result<EventId, Error> {
        self.publish_with(Publication::of(event).at(at))
    }

    /// Publishes an event with options.
    ///
    /// # Errors
    /// The event cannot be serialized or is too large.
    pub fn publish_with<E: DomainEvent>(&self, publication: Publication<E>) -> Result<EventId, Error> {
        self.events.collector.push(publication)
    }

    /// Takes back an event that was published with a delay and whose time has not come; whether it was still to be had. When this unit of
    /// work commits, none of its targets gets the event; when it rolls back, all of them do.
    ///
    /// Events without a delay, and those of this same unit of work, cannot be cancelled.
    ///
    /// ```no_run
    /// # async fn pay(outbox: &events_sqlx::sqlite::Outbox, reminder: events_core::EventId) -> Result<(), events_core::Error> {
    /// outbox
    ///     .run(async |uow| {
    ///         // .. mark the order as paid ..
    ///         uow.cancel(reminder).await?;
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The database failed.
    pub async fn cancel(&mut self, event: EventId) -> Result<bool, Error> {
        let db = Arc::clone(self.events.outbox.db());
        status::cancel::<DB>(&mut self.tx, event, db.terms()).await.map_err(failed::<DB>("cancelling an event"))
    }

    /// Runs `work` behind a savepoint: on `Err` its writes and its events are undone together, and nothing else.
    ///
    /// # Errors
    /// Those of `work`; [`Error::AbandonedSavepoint`] after an earlier savepoint was abandoned; or the database failed.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropping the future half-way leaves work that can be neither kept nor undone, so the unit of work
    /// refuses to commit.
    pub async fn savepoint<T, E>(&mut self, work: impl AsyncFnOnce(&mut UnitOfWork<DB>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        self.check_savepoints()?;
        let depth = self.savepoints + 1;
        let mark = self.events.collector.mark();
        // Dropped before it is disarmed, it says that this future was.
        let drop_guard = DropGuard(Some(Arc::clone(&self.abandoned)));
        DB::execute(&mut self.tx, format!("SAVEPOINT events_{depth}")).await.map_err(failed::<DB>("setting a savepoint"))?;
        self.savepoints = depth;
        let outcome = work(self).await;
        self.check_savepoints()?;
        if outcome.is_err() {
            let undone = self.events.collector.split_off(mark);
            self.events.undone.extend(undone);
            DB::execute(&mut self.tx, format!("ROLLBACK TO SAVEPOINT events_{depth}"))
                .await
                .map_err(failed::<DB>("rolling back to a savepoint"))?;
        }
        DB::execute(&mut self.tx, format!("RELEASE SAVEPOINT events_{depth}")).await.map_err(failed::<DB>("releasing a savepoint"))?;
        self.savepoints = depth - 1;
        drop_guard.disarm();
        outcome
    }

    /// Whether every savepoint came to its end.
    fn check_savepoints(&self) -> Result<(), Error> {
        if self.abandoned.load(Ordering::Acquire) { Err(Error::AbandonedSavepoint) } else { Ok(()) }
    }

    /// Runs the `#[before_commit]` handlers, writes the events to the outbox, commits, and hands the events over.
    ///
    /// # Errors
    /// [`Error::CommitUnknown`] if the connection was lost during COMMIT; after every other error nothing was committed.
    ///
    /// # Cancel safety
    /// Cancelled before COMMIT is sent, it rolls back. Cancelled during COMMIT, the outcome is unknown to the caller; if it was
    /// committed, the scanner delivers the events when their lease has run out.
    pub async fn commit(self) -> Result<(), Error> {
        self.finish(None).await.map(drop)
    }

    /// Rolls back. Dropping the unit of work does the same, in the background.
    ///
    /// # Errors
    /// The database failed; the transaction is rolled back nevertheless when its connection is closed.
    pub async fn rollback(self) -> Result<(), Error> {
        let Self { tx, events, writer, .. } = self;
        let rolled_back = tx.rollback().await.map_err(failed::<DB>("rolling back"));
        drop(writer);
        drop(events);
        rolled_back
    }

    /// Commits; with `settlement`, only if that delivery's lease still holds, and settles it in the same transaction.
    pub(crate) async fn finish(self, settlement: Option<Settlement>) -> Result<Committed, Error> {
        let span = debug_span!(
            "outbox.commit",
            messaging.system = "outbox",
            messaging.operation.name = "commit",
            messaging.batch.message_count = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        let committed = self.finish_in(&span, settlement).instrument(span.clone()).await;
        if let Err(error) = &committed {
            span.record("otel.status_code", "ERROR").record("otel.status_description", tracing::field::display(error));
        }
        committed
    }

    async fn finish_in(mut self, span: &Span, settlement: Option<Settlement>) -> Result<Committed, Error> {
        self.check_savepoints()?;
        let collector = self.events.collector.clone();
        let outbox = self.events.outbox.clone();
        if collector.mark() > 0 {
            collector.scope(outbox.relay().registry().before_commit(&collector, &mut self)).await?;
            self.check_savepoints()?;
        }
        let Self { mut tx, mut events, writer, .. } = self;
        events.committing = collector.drain();
        span.record("messaging.batch.message_count", events.committing.len());
        let mut hand_over = outbox.relay().plan(events.committing.clone())?;
        let (lease, terms) = (outbox.relay().options().lease, outbox.db().terms());
        let writes = !hand_over.planned().is_empty() || settlement.is_some() || hand_over.is_two_phase();
        if !DB::is_open(&mut tx, writes).await.map_err(failed::<DB>("asking whether the transaction is open"))? {
            return Err(Error::TransactionEnded { database: DB::SYSTEM, consequence: DB::ENDED });
        }
        // Before anything else is locked: a broker may take its time.
        let mut prepared = if hand_over.is_two_phase() { Some(hand_over.prepare().await?) } else { None };
        let last_work =
            last_work::<DB>(&mut tx, &mut hand_over, settlement, prepared.as_ref().map(PreparedEvents::transaction), lease, terms);
        let settled = match &prepared {
            Some(prepared) => prepared.in_time(last_work).await?,
            None => last_work.await?,
        };
        let Settled::All { freed } = settled else { return Ok(Committed::LeaseLost) };
        // Unknown until the database has answered: this future may be dropped while it waits.
        events.completion = Completion::Unknown;
        prepared.iter_mut().for_each(PreparedEvents::leave);
        if let Err(source) = tx.commit().await {
            return Err(match DB::commit_failure(&source) {
                CommitFailure::RolledBack => {
                    events.completion = Completion::RolledBack;
                    prepared.into_iter().for_each(PreparedEvents::cancel);
                    failed::<DB>("committing; nothing was committed")(source)
                }
                CommitFailure::Unknown => Error::CommitUnknown { source: Box::new(source) },
            });
        }
        // No await from here: a cancelled caller cannot come between COMMIT and hand-over.
        hand_over.hand_over();
        prepared.into_iter().for_each(PreparedEvents::confirm);
        drop(writer);
        events.completion = Completion::Committed;
        Ok(Committed::Yes { freed })
    }
}

/// What is written just before COMMIT: the mark that brokers are answered by, the events, and a settlement.
async fn last_work<DB: Backend>(
    tx: &mut DB::Connection,
    hand_over: &mut HandOver,
    settlement: Option<Settlement>,
    transaction: Option<TransactionId>,
    lease: Duration,
    terms: TermsOf<'_, DB>,
) -> Result<Settled, Error> {
    if let Some(transaction) = transaction {
        let recorded = transactions::record::<DB>(tx, transaction, terms).await;
        if !recorded.map_err(failed::<DB>("writing down that the transaction commits"))? {
            return Err(Error::TransactionGivenUp);
        }
    }
    if !hand_over.planned().is_empty() {
        terms.cipher.seal(hand_over)?;
        let line = settlement.as_ref().and_then(|settlement| Some((settlement.key.clone()?, settlement.target.to_string())));
        DB::append(tx, hand_over.planned_mut(), line, lease, terms).await.map_err(failed::<DB>("writing events to the outbox"))?;
    }
    match settlement {
        Some(settlement) => settlements::settle::<DB>(tx, &[settlement], terms).await.map_err(failed::<DB>("settling a delivery")),
        None => Ok(Settled::All { freed: 0 }),
    }
}

impl<DB: Backend> UnitOfWorkArg for UnitOfWork<DB> {}

impl<DB: Backend> fmt::Debug for UnitOfWork<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnitOfWork")
            .field("events", &self.events.collector.mark())
            .field("savepoints", &self.savepoints)
            .finish_non_exhaustive()
    }
}
