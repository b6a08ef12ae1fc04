//! Deliveries that were given up: to be looked at, redriven or discarded by a human.

use crate::backend::Backend;
use crate::database::{Db, failed};
use crate::inspect;
use crate::{Filter, Outbox};
use events_core::{DeliveryId, Envelope, Error, Failure};
use time::OffsetDateTime;

/// A delivery that was given up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The delivery.
    pub id: DeliveryId,
    /// Where it should have gone.
    pub target: String,
    /// The event; `Err` says why the row cannot be read.
    pub envelope: Result<Envelope, String>,
    /// Why: `exhausted`, `terminal`, `undecodable`, `abandoned` or `interrupted`.
    pub reason: String,
    /// How many attempts there were.
    pub attempts: u32,
    /// What went wrong, the last attempt last.
    pub failures: Vec<Failure>,
    /// When it was given up, by the database's clock.
    pub died_at: OffsetDateTime,
    /// Whether the events behind it wait until it is redriven or discarded.
    pub blocks_key: bool,
}

/// The dead letters of an outbox.
///
/// ```no_run
/// # async fn f(outbox: events_sqlx::sqlite::Outbox) -> Result<(), events_core::Error> {
/// use events_sqlx::Filter;
/// for letter in outbox.dead_letters().list(&Filter::all().target("issue_ticket")).await? {
///     println!("{} {}: {:?}", letter.id, letter.reason, letter.failures.last());
/// }
/// outbox.dead_letters().redrive(&Filter::all().target("issue_ticket")).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct DeadLetters<DB: Backend> {
    outbox: Outbox<DB>,
}

impl<DB: Backend> DeadLetters<DB> {
    pub(crate) fn of(outbox: Outbox<DB>) -> Self {
        Self { outbox }
    }

    /// Lists dead letters, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<DeadLetter>, Error> {
        let db = self.outbox.db();
        let list = async { inspect::dead::<DB>(&mut *Db::reading(&db.business).await?, filter, db.terms()).await };
        list.await.map_err(failed::<DB>("listing dead letters"))
    }

    /// Puts the dead letters that `filter` takes back into the outbox, with fresh attempts; returns how many.
    ///
    /// A letter with a key goes back to its old place, before everything that still waits for that key.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    pub async fn redrive(&self, filter: &Filter) -> Result<u64, Error> {
        let doing = "redriving dead letters";
        let ids = self.ids(filter).await?;
        let db = self.outbox.db();
        let (mut tx, writer) = db.begin(None).await?;
        let redriven = inspect::redrive::<DB>(&mut tx, &ids, db.terms()).await.map_err(failed::<DB>(doing))?;
        tx.commit().await.map_err(failed::<DB>(doing))?;
        drop(writer);
        tracing::info!(redriven, ?filter, "dead letters were redriven");
        self.outbox.relay().wake();
        Ok(redriven)
    }

    /// Deletes the dead letters that `filter` takes, for good; returns how many.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    pub async fn discard(&self, filter: &Filter) -> Result<u64, Error> {
        let doing = "discarding dead letters";
        let ids = self.ids(filter).await?;
        let db = self.outbox.db();
        let (mut tx, writer) = db.begin(None).await?;
        let (discarded, freed) = inspect::discard::<DB>(&mut tx, &ids, db.terms()).await.map_err(failed::<DB>(doing))?;
        tx.commit().await.map_err(failed::<DB>(doing))?;
        drop(writer);
        if freed > 0 {
            self.outbox.relay().wake();
        }
        for id in &ids {
            tracing::warn!(delivery = %id, "a dead letter was discarded");
        }
        Ok(discarded)
    }

    async fn ids(&self, filter: &Filter) -> Result<Vec<DeliveryId>, Error> {
        let db = self.outbox.db();
        let look = async { inspect::dead_ids::<DB>(&mut *Db::reading(&db.business).await?, filter, db.terms()).await };
        look.await.map_err(failed::<DB>("looking for dead letters"))
    }
}
