//! The outbox as the relay sees it.

use crate::backend::{Backend, fetch, run};
use crate::builder::Retention;
use crate::database::{Db, failed};
use crate::inbox;
use crate::inspect;
use crate::lines::{self, Line};
use crate::outbox::{Inner, Outbox};
use crate::owner::OWNER;
use crate::settlements::{self, Settled};
use crate::transactions;
use crate::unit_of_work::{Committed, UnitOfWork};
use crate::values::Values;
use async_trait::async_trait;
use events_core::{
    Delivery, DeliveryError, DeliveryId, Error, Failure, InUnitOfWork, Inbox, Lease, LeaseRequest, LeaseToken, Leased, Orphans,
    OutboxStore, Outcome, ProcessReport, Receipt, ReceiveOutcome, Resolution, SettleReport, Settlement, Swept, TransactOutcome,
    TransactionId, millis_of,
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use uuid::Uuid;

/// How long nothing must have been published to a line before its row is removed.
const IDLE: Duration = Duration::from_secs(600);
/// After so long without a word a process is taken for gone.
const FORGET: Duration = Duration::from_secs(3_600);
/// How often a transaction of the relay that collided with another one is repeated at once.
const REPEATS: usize = 5;

/// Runs work in a transaction of the relay, and commits unless it comes to `None`; again if it collided with another transaction.
///
/// A macro, because the future of a closure that borrows is not `Send` for every lifetime (rust-lang/rust#126350).
macro_rules! in_transaction {
    ($store:ident, $doing:expr, |$conn:ident, $terms:ident| $work:expr) => {{
        let mut repeats = 0;
        loop {
            let (mut tx, _writer) = $store.db.begin_relay().await?;
            let done = async {
                let ($conn, $terms) = (&mut *tx, $store.db.terms());
                Ok($work)
            };
            let done = match done.await {
                Ok(Some(value)) => tx.commit().await.map(|()| Some(value)),
                Ok(None) => tx.rollback().await.map(|()| None),
                Err(error) => Err(error),
            };
            match done {
                Err(error) if DB::collided(&error) && repeats < REPEATS => repeats += 1,
                done => break done.map_err(failed::<DB>($doing)),
            }
        }
    }};
}

/// Answers the relay. The way back to the outbox is weak: the outbox owns the relay, which owns this.
pub(crate) struct Store<DB: Backend> {
    pub(crate) db: Arc<Db<DB>>,
    pub(crate) outbox: OnceLock<Weak<Inner<DB>>>,
    /// How far the sweep over the lines has come.
    pub(crate) swept: Mutex<Line>,
}

impl<DB: Backend> Store<DB> {
    /// Settles in one transaction; `None` if leases were lost and nothing was changed.
    async fn try_settle(&self, settlements: &[Settlement]) -> Result<Option<u64>, Error> {
        in_transaction!(self, "settling deliveries", |conn, terms| {
            match settlements::settle::<DB>(conn, settlements, terms).await? {
                Settled::All { freed } => Some(freed),
                Settled::SomeLost => None,
            }
        })
    }

    async fn lease_from(&self, request: &LeaseRequest) -> Result<Leased, Error> {
        let mut repeats = 0;
        loop {
            let _writer = self.db.relay_writer().await?;
            match DB::lease(&self.db.relay, request, self.db.terms()).await {
                // Two claimers may wait for each other; one of them is ended, and nothing is leased by it.
                Err(error) if DB::collided(&error) && repeats < REPEATS => repeats += 1,
                leased => return leased.map_err(failed::<DB>("leasing deliveries")),
            }
        }
    }

    async fn lost(&self, settlements: &[Settlement]) -> Result<Vec<DeliveryId>, Error> {
        let leases: Vec<Lease> = settlements.iter().map(|settlement| settlement.lease).collect();
        let look = async { settlements::lost::<DB>(&mut *Db::reading(&self.db.relay).await?, &leases, self.db.terms()).await };
        look.await.map_err(failed::<DB>("looking for lost leases"))
    }
}

#[async_trait]
impl<DB: Backend> Inbox for Store<DB> {
    async fn receive(&self, receipt: &Receipt<'_>, handler: &dyn InUnitOfWork) -> ReceiveOutcome {
        let Some(outbox) = self.outbox.get().and_then(Weak::upgrade).map(Outbox::from_inner) else {
            return ReceiveOutcome::Failed(DeliveryError::unavailable("the outbox is gone"));
        };
        let mut uow: UnitOfWork<DB> = match outbox.begin().await {
            Ok(uow) => uow,
            Err(error) => return ReceiveOutcome::Failed(DeliveryError::unavailable(error)),
        };
        // First of all: whoever comes second with the same receipt waits here until the first one is through.
        match inbox::insert::<DB>(uow.conn(), receipt, self.db.terms()).await {
            Ok(true) => {}
            Ok(false) => return ReceiveOutcome::Duplicate,
            Err(error) => return ReceiveOutcome::Failed(failed::<DB>("writing to the inbox")(error).into()),
        }
        let collector = uow.collector().clone();
        if let Err(error) = collector.scope(handler.call(&mut uow)).await {
            return ReceiveOutcome::Failed(error);
        }
        match uow.finish(None).await {
            Ok(Committed::Yes { .. }) => ReceiveOutcome::Handled,
            Ok(Committed::LeaseLost) | Err(Error::CommitUnknown { .. }) => ReceiveOutcome::Unknown,
            Err(error) => ReceiveOutcome::Failed(error.into()),
        }
    }
}

#[async_trait]
impl<DB: Backend> OutboxStore for Store<DB> {
    async fn lease(&self, request: &LeaseRequest) -> Result<Leased, Error> {
        let mut request = request.clone();
        // How long ago that was is known by the process's clock, not by one that a test moves.
        if self.db.terms().now.is_some() {
            request.targets.iter_mut().for_each(|target| target.within = None);
        }
        // Look before you leap: an idle scanner must not stand in the line of those who write.
        let targets = DB::due(&self.db.relay, &request, self.db.terms()).await.map_err(failed::<DB>("looking for due deliveries"))?;
        // Where only one can write, others get their turn between two targets.
        let at_once = if DB::SINGLE_WRITER { 1 } else { targets.len().max(1) };
        let mut leased = Leased::default();
        for targets in targets.chunks(at_once) {
            let request = LeaseRequest { targets: targets.to_vec(), ..request };
            match self.lease_from(&request).await {
                Ok(mut more) => {
                    leased.deliveries.append(&mut more.deliveries);
                    leased.unreadable.append(&mut more.unreadable);
                }
                Err(error) if leased.deliveries.is_empty() && leased.unreadable.is_empty() => return Err(error),
                Err(error) => {
                    // What is leased must not wait for its lease to run out only because the next target's turn failed.
                    tracing::warn!(error = error.report(), "some targets could not be looked at; the scanner looks again");
                    break;
                }
            }
        }
        Ok(leased)
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<SettleReport, Error> {
        // Lost leases are rare, so the batch is tried as a whole first; only then is it worth asking which ones.
        if let Some(freed) = self.try_settle(settlements).await? {
            return Ok(SettleReport { lost: Vec::new(), freed });
        }
        let mut report = SettleReport { lost: self.lost(settlements).await?, freed: 0 };
        let held: Vec<Settlement> = settlements.iter().filter(|settlement| !report.lost.contains(&settlement.lease.id)).cloned().collect();
        if let Some(freed) = self.try_settle(&held).await? {
            report.freed = freed;
            return Ok(report);
        }
        // More leases ran out in between: one by one, so that this comes to an end.
        for settlement in held {
            match self.try_settle(std::slice::from_ref(&settlement)).await? {
                Some(freed) => report.freed += freed,
                None => report.lost.push(settlement.lease.id),
            }
        }
        Ok(report)
    }

    async fn remember(&self, lease: Lease, failures: &[Failure]) -> Result<bool, Error> {
        in_transaction!(self, "writing down that a call begins", |conn, terms| {
            Some(settlements::remember::<DB>(conn, lease, failures, terms).await?)
        })
        .map(|held| held.unwrap_or(false))
    }

    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<DeliveryId>, Error> {
        let _writer = self.db.relay_writer().await?;
        let renew = async {
            let mut tx = DB::begin_own(&self.db.heartbeat).await?;
            let lost = settlements::renew::<DB>(&mut tx, leases, lease, self.db.terms()).await?;
            tx.commit().await?;
            Ok(lost)
        };
        renew.await.map_err(failed::<DB>("renewing leases"))
    }

    async fn transact(&self, delivery: &Delivery, handler: &dyn InUnitOfWork) -> TransactOutcome {
        let Some(outbox) = self.outbox.get().and_then(Weak::upgrade).map(Outbox::from_inner) else {
            return TransactOutcome::Failed(DeliveryError::unavailable("the outbox is gone"));
        };
        let mut uow: UnitOfWork<DB> = match outbox.begin().await {
            Ok(uow) => uow,
            // The handler has not been called: that is no attempt.
            Err(error) => return TransactOutcome::Failed(DeliveryError::unavailable(error)),
        };
        let collector = uow.collector().clone();
        if let Err(error) = collector.scope(handler.call(&mut uow)).await {
            drop(uow);
            return TransactOutcome::Failed(error);
        }
        let settlement = Settlement {
            lease: delivery.lease,
            target: Arc::clone(&delivery.target),
            key: delivery.envelope.key.clone(),
            outcome: Outcome::Delivered,
        };
        match uow.finish(Some(settlement)).await {
            Ok(Committed::Yes { freed }) => TransactOutcome::Settled { freed },
            Ok(Committed::LeaseLost) => TransactOutcome::LeaseLost,
            Err(Error::CommitUnknown { .. }) => TransactOutcome::Unknown,
            Err(error) => TransactOutcome::Failed(error.into()),
        }
    }

    async fn identity(&self) -> Result<String, Error> {
        let db = &self.db;
        let look = async {
            let rows = fetch::<DB>(&mut *Db::reading(&db.relay).await?, &db.sql.identity, &Values::default(), None).await?;
            rows.first().map_or(Ok(None), |row| DB::text(row, 0).map(|id| id.map(str::to_owned))).map(Option::unwrap_or_default)
        };
        look.await.map_err(failed::<DB>("asking which outbox this is"))
    }

    async fn resolve(&self, transaction: TransactionId, lifetime: Duration) -> Result<Resolution, Error> {
        in_transaction!(self, "looking for what became of a transaction", |conn, terms| {
            DB::impatient(conn).await?;
            Some(transactions::resolve::<DB>(conn, transaction, lifetime, terms).await?)
        })
        .map(|resolution| resolution.unwrap_or(Resolution::Unknown))
    }

    async fn purge(&self, limit: u32) -> Result<u64, Error> {
        let receipts = in_transaction!(self, "purging the inbox", |conn, terms| {
            Some(inbox::purge::<DB>(conn, self.db.inbox_retention, limit, terms).await?)
        })?;
        let transactions =
            in_transaction!(self, "purging transactions", |conn, terms| Some(transactions::purge::<DB>(conn, limit, terms).await?))?;
        let most = receipts.unwrap_or(0).max(transactions.unwrap_or(0));
        in_transaction!(self, "forgetting processes", |conn, terms| {
            Some(run::<DB>(conn, &terms.sql.purge_processes, &Values::default().int("keep", millis_of(FORGET)), terms.now).await?)
        })?;
        let Retention::Archive(keep) = self.db.retention else { return Ok(most) };
        let archived = in_transaction!(self, "purging the archive", |conn, terms| {
            Some(inspect::purge_archive::<DB>(conn, keep, limit, terms).await?)
        })?;
        // The caller goes on while one of them has as many as it may remove.
        Ok(most.max(archived.unwrap_or(0)))
    }

    async fn sweep(&self, limit: u32) -> Result<Swept, Error> {
        let doing = "sweeping the keys";
        let idle = millis_of(IDLE);
        let after = self.swept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let look = async { lines::look::<DB>(&mut *Db::reading(&self.db.relay).await?, &after, limit, idle, self.db.terms()).await };
        let looked = look.await.map_err(failed::<DB>(doing))?;
        let mut freed = None;
        if !looked.idle.is_empty() || !looked.stuck.is_empty() {
            freed = in_transaction!(self, doing, |conn, terms| {
                lines::lock::<DB>(conn, &looked.idle.and(&looked.stuck), terms).await?;
                lines::purge::<DB>(conn, &looked.idle, idle, terms).await?;
                Some(lines::recount::<DB>(conn, &looked.stuck, terms).await?)
            })?;
        }
        let done = looked.last.is_none();
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner) = looked.last.unwrap_or_default();
        Ok(Swept { freed: freed.unwrap_or(0), done })
    }

    async fn adopt(&self, renamed: &[(Arc<str>, Arc<str>)]) -> Result<u64, Error> {
        let mut all = 0;
        for (earlier, present) in renamed {
            loop {
                let adopted = in_transaction!(self, "renaming deliveries", |conn, terms| {
                    Some(inspect::adopt::<DB>(conn, earlier, present, terms).await?)
                })?;
                let (adopted, more) = adopted.unwrap_or_default();
                all += adopted;
                if !more {
                    break;
                }
            }
        }
        Ok(all)
    }

    async fn lead(&self, name: &str, token: LeaseToken, lease: Duration) -> Result<bool, Error> {
        let _writer = self.db.relay_writer().await?;
        let lead = async {
            let mut tx = DB::begin_own(&self.db.heartbeat).await?;
            let (sql, now) = (&self.db.sql, self.db.terms().now);
            let values =
                Values::default().text("name", name).text("owner", OWNER.as_str()).id("token", token.0).int("lease", millis_of(lease));
            let mut taken = run::<DB>(&mut tx, &sql.lead, &values, now).await?;
            if taken == 0 {
                taken = run::<DB>(&mut tx, &sql.lead_first, &values, now).await?;
            }
            tx.commit().await.map(|()| taken == 1)
        };
        lead.await.map_err(failed::<DB>("taking the lead"))
    }

    async fn resign(&self, name: &str, token: LeaseToken) -> Result<(), Error> {
        let _writer = self.db.relay_writer().await?;
        let resign = async {
            let mut tx = DB::begin_own(&self.db.heartbeat).await?;
            let values = Values::default().text("name", name).id("token", token.0);
            run::<DB>(&mut tx, &self.db.sql.resign, &values, None).await?;
            tx.commit().await
        };
        resign.await.map_err(failed::<DB>("resigning the lead"))
    }

    async fn check_in(&self, process: Uuid, report: &ProcessReport) -> Result<(), Error> {
        let report = serde_json::to_string(report).map_err(|error| failed::<DB>("reporting")(sqlx::Error::Encode(error.into())))?;
        in_transaction!(self, "reporting", |conn, terms| {
            let values = Values::default().id("process", process).text("owner", OWNER.as_str()).text("report", &*report);
            Some(run::<DB>(conn, &terms.sql.check_in, &values, terms.now).await?)
        })
        .map(drop)
    }

    async fn check_out(&self, process: Uuid) -> Result<(), Error> {
        in_transaction!(self, "ending the reports", |conn, terms| {
            Some(run::<DB>(conn, &terms.sql.check_out, &Values::default().id("process", process), terms.now).await?)
        })
        .map(drop)
    }

    async fn announce(&self) -> Result<(), Error> {
        let Some(channel) = &self.db.channel else { return Ok(()) };
        let announce = async {
            let mut tx = DB::begin_own(&self.db.relay).await?;
            DB::announce(&mut tx, channel, self.db.terms()).await?;
            tx.commit().await
        };
        announce.await.map_err(failed::<DB>("telling other processes to look"))
    }

    async fn listen(&self, wake: Arc<dyn Fn() + Send + Sync>) -> Result<(), Error> {
        let Some(channel) = &self.db.channel else { return std::future::pending().await };
        DB::listen(&self.db.relay, channel, wake).await.map_err(failed::<DB>("listening to other processes"))
    }

    async fn orphans(&self, known: &[Arc<str>]) -> Result<Vec<Orphans>, Error> {
        // Counting may take a while; the relay's connection must not wait for it.
        let count = async { inspect::orphans::<DB>(&mut *Db::reading(&self.db.business).await?, known, self.db.terms()).await };
        count.await.map_err(failed::<DB>("counting orphaned deliveries"))
    }
}
