//! A database, the processes on it, and the parts their handlers play.

use crate::events::{Audited, Booked, Copied, Noted, Renumbered, Stepped};
use crate::{Conn, Harness, Role};
use events_core::{Backoff, Clock, DeliveryError, Error, LeaseRequest, LeaseToken, RelayOptions, RetryPolicy, TargetRequest};
use events_core::{Delivery, Outcome, Settlement, test_kit::wait_until};
use events_sqlx::{Backend, Filter, Outbox, OutboxBuilder, UnitOfWork, Waiting, WaitingState};
use sqlx::Pool;
use std::{sync::Arc, time::Duration};

/// A time far from that of every clock of the machine: 2001-09-09.
const LONG_AGO: i64 = 1_000_000_000_000;

/// What a case plays with.
pub struct Scene<H: Harness> {
    /// The database.
    pub harness: H,
    /// A clock that stands still, far from now, until it is moved; that of [`timeless`](Self::timeless) processes.
    pub clock: Clock,
    /// The part of [`note`](crate::events::note).
    pub note: Role<Noted>,
    /// The part of [`copy`](crate::events::copy).
    pub copy: Role<Copied>,
    /// The part of [`follow`](crate::events::follow).
    pub follow: Role<Stepped>,
    /// The part of [`audit`](crate::events::audit).
    pub audit: Role<Audited>,
    /// The part of [`renumber`](crate::events::renumber).
    pub renumber: Role<Renumbered>,
    /// The part of [`Harness::Book`].
    pub book: Role<Booked>,
    pool: Pool<H::Db>,
}

impl<H: Harness> Scene<H> {
    /// A fresh database.
    pub async fn new() -> Self {
        let harness = H::fresh().await;
        let pool = harness.connect().await;
        Self {
            harness,
            clock: Clock::manual(LONG_AGO),
            note: Role::default(),
            copy: Role::default(),
            follow: Role::default(),
            audit: Role::default(),
            renumber: Role::default(),
            book: Role::default(),
            pool,
        }
    }

    /// A process on the database: quick, with all states and no handlers yet.
    pub async fn process(&self) -> OutboxBuilder<H::Db> {
        Outbox::builder(self.harness.connect().await)
            .without_linked_handlers()
            .state(self.note.clone())
            .state(self.copy.clone())
            .state(self.follow.clone())
            .state(self.audit.clone())
            .state(self.renumber.clone())
            .state(self.book.clone())
            .retry(RetryPolicy::default().backoff(Backoff::Fixed(Duration::from_millis(10))))
            .relay(quick())
    }

    /// As [`process`](Self::process), with the clock that stands still.
    pub async fn timeless(&self) -> OutboxBuilder<H::Db> {
        self.process().await.clock(self.clock.clone())
    }

    /// Runs a statement from outside.
    pub async fn execute(&self, sql: impl Into<String>) {
        let mut conn = self.pool.acquire().await.unwrap();
        H::Db::execute(&mut conn, sql.into()).await.unwrap();
    }

    /// The first column of a query, seen from outside.
    pub async fn numbers(&self, sql: impl Into<String>) -> Vec<i64> {
        H::numbers(&mut *self.pool.acquire().await.unwrap(), sql.into()).await.unwrap()
    }

    /// A count, seen from outside.
    pub async fn count(&self, table: &str) -> i64 {
        self.numbers(format!("SELECT count(*) FROM {table}")).await[0]
    }

    /// What was committed to the business table.
    pub async fn business(&self) -> Vec<i64> {
        self.numbers("SELECT n FROM business ORDER BY n").await
    }

    /// Writes `n` to the business table.
    ///
    /// # Errors
    /// It is there already, or the database failed.
    pub async fn write(conn: &mut Conn<H>, n: i64) -> sqlx::Result<()> {
        H::Db::execute(conn, format!("INSERT INTO business (n) VALUES ({n})")).await
    }

    /// What the handler with a unit of work does: it writes, publishes, and then plays its part.
    ///
    /// # Errors
    /// Those of its part, or the database failed.
    pub async fn book(role: &Role<Booked>, event: Booked, uow: &mut UnitOfWork<H::Db>, attempt: u32) -> Result<(), DeliveryError> {
        Self::write(uow.conn(), event.n).await?;
        events_core::publish(Noted { n: event.n })?;
        role.play(event, attempt).await
    }

    /// Publishes `Noted` with each of the numbers, in one unit of work.
    pub async fn publish(outbox: &Outbox<H::Db>, numbers: impl IntoIterator<Item = i64>) {
        let publish = async |_: &mut UnitOfWork<H::Db>| numbers.into_iter().try_for_each(|n| events_core::publish(Noted { n }).map(drop));
        outbox.run(publish).await.unwrap();
    }

    /// Publishes steps, each in a unit of work of its own.
    pub async fn step(outbox: &Outbox<H::Db>, line: i64, steps: impl IntoIterator<Item = i64>) {
        for step in steps {
            let publish = async |_: &mut UnitOfWork<H::Db>| events_core::publish(Stepped { line, step });
            outbox.run(publish).await.unwrap();
        }
    }

    /// Leases as a relay would.
    pub async fn lease(outbox: &Outbox<H::Db>, target: &str, limit: u32, lease: Duration) -> Vec<Delivery> {
        let target = TargetRequest { name: Arc::from(target), limit, within: None };
        let request = LeaseRequest { targets: vec![target], token: LeaseToken::fresh(), lease };
        outbox.store().lease(&request).await.unwrap().deliveries
    }

    /// Leases for 30 s, at most 1,000, as a relay would that has looked at everything so long ago.
    pub async fn lease_within(outbox: &Outbox<H::Db>, target: &str, within: Duration) -> Vec<Delivery> {
        let target = TargetRequest { name: Arc::from(target), limit: 1_000, within: Some(within) };
        let request = LeaseRequest { targets: vec![target], token: LeaseToken::fresh(), lease: Duration::from_secs(30) };
        outbox.store().lease(&request).await.unwrap().deliveries
    }

    /// A settlement of `delivery`.
    #[must_use]
    pub fn settlement(delivery: &Delivery, outcome: Outcome) -> Settlement {
        let key = delivery.envelope.key.clone();
        Settlement { lease: delivery.lease, target: Arc::clone(&delivery.target), key, outcome }
    }

    /// Scans until nothing is due, and settles everything; for processes that are idle.
    pub async fn drain(outbox: &Outbox<H::Db>) {
        loop {
            let leased = outbox.relay().scan().await.unwrap();
            Self::settle(outbox).await;
            if leased == 0 && outbox.relay().scan().await.unwrap() == 0 {
                return;
            }
            Self::settle(outbox).await;
        }
    }

    /// Waits until everything in memory is settled; for processes that are idle.
    pub async fn settle(outbox: &Outbox<H::Db>) {
        Self::settle_until(outbox, "everything in memory is settled", async || outbox.in_flight() == 0).await;
    }

    /// Waits until nothing is left in the table. The settlement of a row that cannot be read has no room in memory that could be waited for.
    pub async fn settle_all(outbox: &Outbox<H::Db>) {
        Self::settle_until(outbox, "all rows are settled", async || outbox.waiting().await.unwrap() == 0).await;
    }

    /// Settles until something holds. A settlement that was cut short would forget its batch, so it runs beside the question.
    async fn settle_until(outbox: &Outbox<H::Db>, what: &str, holds: impl AsyncFnMut() -> bool) {
        let relay = outbox.relay().clone();
        let settler = tokio::spawn(async move {
            loop {
                relay.settle().await;
            }
        });
        wait_until(what, holds).await;
        settler.abort();
        // An aborted task may still be running; nothing may settle behind the test's back.
        let _ = settler.await;
    }

    /// How many deliveries are in a state.
    pub async fn in_state(outbox: &Outbox<H::Db>, state: WaitingState) -> usize {
        waiting(outbox).await.iter().filter(|waiting| waiting.state == state).count()
    }

    /// What waits, oldest first.
    pub async fn waiting(outbox: &Outbox<H::Db>) -> Vec<Waiting> {
        waiting(outbox).await
    }

    /// Waits until the table is empty, and nothing is left in the memory of this process either.
    pub async fn until_delivered(outbox: &Outbox<H::Db>) {
        wait_until("everything is delivered", async || outbox.waiting().await.unwrap() == 0 && outbox.in_flight() == 0).await;
    }
}

async fn waiting<DB: Backend>(outbox: &Outbox<DB>) -> Vec<Waiting> {
    outbox.list_waiting(&Filter::all().limit(100_000)).await.unwrap()
}

/// The default limits, but quick.
fn quick() -> RelayOptions {
    RelayOptions { poll: Duration::from_millis(25), linger: Duration::from_millis(1), ..RelayOptions::default() }
}

/// The outbox's error behind what a unit of work returned.
#[must_use]
pub fn kind_of(error: &anyhow::Error) -> &Error {
    error.downcast_ref().unwrap_or_else(|| panic!("no error of the outbox: {error:?}"))
}
