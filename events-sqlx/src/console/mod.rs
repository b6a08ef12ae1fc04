//! The outbox as people see it who operate it: how it is doing, what waits, what was given up and why; and what they can do about it.
//!
//! Every look is bounded, so that looking at ten million deliveries costs what looking at ten thousand does. Every deed is written into the
//! audit, in the transaction of the deed. Nothing here needs the handlers or transports of the outbox.

mod act;
mod connect;
mod doctor;
mod overview;
mod people;
mod story;
mod tables;

pub use act::Request;
pub use doctor::{Finding, Level};
pub use overview::{Backlog, DeadBacklog, Overview};
pub use people::{AuditEntry, Blocked, Lead, Process};
pub use story::{Delivered, Story};

use crate::backend::Backend;
use crate::pages::{Cursor, Order, Page};
use crate::{DeadLetter, Filter, Outbox, Waiting};
use events_core::{DeliveryId, Error, EventId};
use serde::Serialize;
use std::{fmt, sync::Arc};
use tables::{Tables, TablesOf};
use uuid::Uuid;

/// What operates an outbox, of whatever database system. Clones share it.
///
/// ```no_run
/// # async fn f() -> Result<(), events_core::Error> {
/// use events_sqlx::{Console, Filter};
/// let console = Console::connect("postgres://localhost/shop", None).await?;
/// for backlog in console.overview(10_000).await?.backlogs {
///     println!("{}: {} due", backlog.target, backlog.due);
/// }
/// console.redrive(&Filter::all().target("issue_ticket"), "li.lei").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Console(Arc<dyn Tables>);

/// Which version the outbox tables have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SchemaVersion {
    /// The tables' version; 0 if there are none.
    pub found: i64,
    /// The version that this release writes.
    pub known: i64,
}

impl Console {
    /// Connects to a database by its URL: `postgres://..`, `mysql://..` or `sqlite:..` with the path of a file that exists. `schema` is the one
    /// given to `.schema(..)`. It connects at the first call, and does not ask for the tables' version.
    ///
    /// # Errors
    /// The URL is not of a database that this crate was built for, or the schema's name is no plain identifier.
    #[allow(clippy::unused_async, reason = "databases may be asked here one day")]
    pub async fn connect(url: &str, schema: Option<&str>) -> Result<Self, Error> {
        connect::connect(url, schema).map(Self)
    }

    pub(crate) fn of<DB: Backend>(tables: TablesOf<DB>) -> Self {
        Self(Arc::new(tables))
    }

    /// The database system's name, such as `PostgreSQL`.
    #[must_use]
    pub fn system(&self) -> &'static str {
        self.0.system()
    }

    /// Which version the outbox tables have.
    ///
    /// # Errors
    /// The database failed.
    pub async fn schema_version(&self) -> Result<SchemaVersion, Error> {
        self.0.schema_version().await
    }

    /// Creates or upgrades the outbox tables; returns their version.
    ///
    /// # Errors
    /// As [`migrate`](crate::migrate).
    pub async fn migrate(&self) -> Result<i64, Error> {
        self.0.migrate().await
    }

    /// The SQL that creates the outbox tables, for a person to apply.
    #[must_use]
    pub fn migrations_as_sql(&self) -> String {
        self.0.migrations_as_sql()
    }

    /// How much waits, for whom and for how long; counted to `most` for each target and state, so that it takes no longer than that.
    ///
    /// # Errors
    /// The database failed.
    pub async fn overview(&self, most: u32) -> Result<Overview, Error> {
        self.0.overview(most).await
    }

    /// A page of what waits: at most as many deliveries as the filter's limit says. Oldest event first; by target and state, in the order in
    /// which they are due; by key, in its order.
    ///
    /// # Errors
    /// The database failed.
    pub async fn waiting(&self, filter: &Filter, after: Option<Cursor>) -> Result<Page<Waiting>, Error> {
        self.0.waiting(filter, after).await
    }

    /// A page of dead letters: at most as many as the filter's limit says.
    ///
    /// # Errors
    /// The database failed.
    pub async fn dead(&self, filter: &Filter, order: Order, after: Option<Cursor>) -> Result<Page<DeadLetter>, Error> {
        self.0.dead(filter, order, after).await
    }

    /// How many dead letters `filter` takes, whatever its limit. It looks at all of them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn count_dead(&self, filter: &Filter) -> Result<u64, Error> {
        let filter = filter.clone().limit(act::BATCH);
        let (mut many, mut after) = (0, None);
        loop {
            let page = self.0.dead_ids(&filter, after).await?;
            many += page.rows.len() as u64;
            after = page.next;
            if after.is_none() {
                return Ok(many);
            }
        }
    }

    /// Everything that the database knows about one event.
    ///
    /// # Errors
    /// The database failed.
    pub async fn story(&self, event: EventId) -> Result<Story, Error> {
        self.0.story(event).await
    }

    /// Puts dead letters back into the outbox, with fresh attempts: all that `filter` takes, whatever its limit, those first that died first, a
    /// thousand in a transaction. Returns how many.
    ///
    /// # Errors
    /// The database failed; what was redriven until then stays redriven.
    pub async fn redrive(&self, filter: &Filter, actor: &str) -> Result<u64, Error> {
        self.act_on_all(Request::Redrive, filter, actor, &mut |_| ()).await
    }

    /// Deletes dead letters for good, and lets go on what they blocked; otherwise as [`redrive`](Self::redrive).
    ///
    /// # Errors
    /// As [`redrive`](Self::redrive).
    pub async fn discard(&self, filter: &Filter, actor: &str) -> Result<u64, Error> {
        self.act_on_all(Request::Discard, filter, actor, &mut |_| ()).await
    }

    /// As [`redrive`](Self::redrive) or [`discard`](Self::discard), and tells `progress` how many it has done so far.
    ///
    /// # Errors
    /// As [`redrive`](Self::redrive).
    pub async fn act_on_all(
        &self,
        request: Request,
        filter: &Filter,
        actor: &str,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, Error> {
        let mut filter = filter.clone().limit(act::BATCH);
        // What is redriven may die again at once. It is not meant a second time, or this would never end.
        let now = self.0.now().await?;
        filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
        let (mut done, mut after) = (0, None);
        loop {
            let page = self.0.dead_ids(&filter, after).await?;
            done += self.act(request, &page.rows, actor).await?;
            progress(done);
            after = page.next;
            if after.is_none() {
                return Ok(done);
            }
        }
    }

    /// Does something to the given dead letters, in one transaction; returns to how many of them, because some may be gone.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    pub async fn act(&self, request: Request, letters: &[DeliveryId], actor: &str) -> Result<u64, Error> {
        if letters.is_empty() { Ok(0) } else { self.0.act(request, letters, actor).await }
    }

    /// The dead letters that block a key, and so what waits behind them, for one target or for all.
    ///
    /// # Errors
    /// The database failed.
    pub async fn blocking(&self, key: &str, target: Option<&str>) -> Result<Vec<DeliveryId>, Error> {
        self.0.blocking(key, target).await
    }

    /// Keys that dead letters block, at most `limit`, those first that were blocked first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn blocked(&self, limit: u32) -> Result<Vec<Blocked>, Error> {
        self.0.blocked(limit).await
    }

    /// Who leads what.
    ///
    /// # Errors
    /// The database failed.
    pub async fn leads(&self) -> Result<Vec<Lead>, Error> {
        self.0.leads().await
    }

    /// The processes that were seen within the last hour, those first that were seen last.
    ///
    /// # Errors
    /// The database failed.
    pub async fn processes(&self) -> Result<Vec<Process>, Error> {
        self.0.processes().await
    }

    /// What people did, the latest first: a page before the entry `before`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        self.0.audit(before, limit).await
    }

    /// Looks for everything that is known to go wrong.
    ///
    /// # Errors
    /// The database failed.
    pub async fn doctor(&self) -> Result<Vec<Finding>, Error> {
        self.0.doctor().await
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("database", &self.system()).finish_non_exhaustive()
    }
}

impl<DB: Backend> Outbox<DB> {
    /// What operates this outbox, for a page of your own or for the dashboard of events-cli.
    #[must_use]
    pub fn console(&self) -> Console {
        Console::of(TablesOf::new(Arc::clone(self.db())).waking(self.relay().clone()))
    }
}
