//! The outbox as the relay sees it.

use crate::backend::{Backend, SettledRows};
use crate::builder::Retention;
use crate::database::{Db, failed};
use crate::outbox::{Inner, Outbox};
use crate::unit_of_work::{Committed, UnitOfWork};
use async_trait::async_trait;
use events_core::{
    Delivery, DeliveryError, DeliveryId, Error, InUnitOfWork, Lease, LeaseRequest, Leased, Orphans, OutboxStore, Outcome, SettleReport,
    Settlement, TransactOutcome,
};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// Answers the relay. The way back to the outbox is weak: the outbox owns the relay, which owns this.
pub(crate) struct Store<DB: Backend> {
    pub(crate) db: Arc<Db<DB>>,
    pub(crate) outbox: OnceLock<Weak<Inner<DB>>>,
}

impl<DB: Backend> Store<DB> {
    /// Settles in one transaction; `None` if leases were lost and nothing was changed.
    async fn try_settle(&self, settlements: &[Settlement]) -> Result<Option<u64>, Error> {
        let (mut tx, _writer) = self.db.begin_relay().await?;
        let rows = DB::settle(&mut tx, settlements, self.db.terms()).await.map_err(failed::<DB>("settling deliveries"))?;
        match rows {
            SettledRows::All { freed } => {
                tx.commit().await.map_err(failed::<DB>("settling deliveries"))?;
                Ok(Some(freed))
            }
            SettledRows::SomeLost => {
                tx.rollback().await.map_err(failed::<DB>("settling deliveries"))?;
                Ok(None)
            }
        }
    }

    async fn lease_from(&self, request: &LeaseRequest) -> Result<Leased, Error> {
        let _writer = self.db.relay_writer().await?;
        DB::lease(&self.db.relay, request, self.db.terms()).await.map_err(failed::<DB>("leasing deliveries"))
    }

    async fn lost(&self, settlements: &[Settlement]) -> Result<Vec<DeliveryId>, Error> {
        let leases: Vec<Lease> = settlements.iter().map(|settlement| settlement.lease).collect();
        let mut conn = self.db.relay.acquire().await.map_err(failed::<DB>("looking for lost leases"))?;
        DB::lost(&mut conn, &leases, self.db.terms()).await.map_err(failed::<DB>("looking for lost leases"))
    }
}

#[async_trait]
impl<DB: Backend> OutboxStore for Store<DB> {
    async fn lease(&self, request: &LeaseRequest) -> Result<Leased, Error> {
        // Look before you leap: an idle scanner must not stand in the line of those who write.
        let targets = DB::due(&self.db.relay, request, self.db.terms()).await.map_err(failed::<DB>("looking for due deliveries"))?;
        // Where only one can write, others get their turn between two targets.
        let at_once = if DB::SINGLE_WRITER { 1 } else { targets.len().max(1) };
        let mut leased = Leased::default();
        for targets in targets.chunks(at_once) {
            let request = LeaseRequest { targets: targets.to_vec(), ..*request };
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

    async fn renew(&self, leases: &[Lease], lease: Duration) -> Result<Vec<DeliveryId>, Error> {
        let _writer = self.db.relay_writer().await?;
        DB::renew(&self.db.heartbeat, leases, lease, self.db.terms()).await.map_err(failed::<DB>("renewing leases"))
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

    async fn purge(&self, limit: u32) -> Result<u64, Error> {
        let archive_for = match self.db.retention {
            Retention::Archive(keep) => Some(keep),
            Retention::Delete => None,
        };
        let (mut tx, _writer) = self.db.begin_relay().await?;
        let removed = DB::purge(&mut tx, archive_for, limit, self.db.terms()).await.map_err(failed::<DB>("purging"))?;
        tx.commit().await.map_err(failed::<DB>("purging"))?;
        Ok(removed)
    }

    async fn free_stuck(&self) -> Result<u64, Error> {
        const LIMIT: u32 = 1_000;
        let doing = "freeing keys that wait for nothing";
        let lines = DB::stuck_keys(&self.db.relay, LIMIT, self.db.terms()).await.map_err(failed::<DB>(doing))?;
        if lines.is_empty() {
            return Ok(0);
        }
        let lines: Vec<(&str, &str)> = lines.iter().map(|(key, target)| (&**key, &**target)).collect();
        let (mut tx, _writer) = self.db.begin_relay().await?;
        let freed = DB::free_keys(&mut tx, &lines, self.db.terms()).await.map_err(failed::<DB>(doing))?;
        tx.commit().await.map_err(failed::<DB>(doing))?;
        Ok(freed)
    }

    async fn adopt(&self, renamed: &[(Arc<str>, Arc<str>)]) -> Result<u64, Error> {
        let (mut tx, _writer) = self.db.begin_relay().await?;
        let mut adopted = 0;
        for (earlier, present) in renamed {
            adopted += DB::adopt(&mut tx, earlier, present, self.db.terms()).await.map_err(failed::<DB>("renaming deliveries"))?;
        }
        tx.commit().await.map_err(failed::<DB>("renaming deliveries"))?;
        Ok(adopted)
    }

    async fn orphans(&self, known: &[Arc<str>]) -> Result<Vec<Orphans>, Error> {
        // Counting may take a while; the relay's connection must not wait for it.
        DB::orphans(&self.db.business, known, self.db.terms()).await.map_err(failed::<DB>("counting orphaned deliveries"))
    }
}
