//! One database as a console sees it.

use super::{AuditEntry, Blocked, Finding, Lead, Overview, Process, Request, SchemaVersion, Story, act, doctor, overview, people, story};
use crate::backend::Backend;
use crate::database::{Db, failed};
use crate::migrate::{known, migrate_in, migrations_in, version_in};
use crate::pages::{self, Cursor, Order, Page};
use crate::statements::Schema;
use crate::{DeadLetter, Filter, Waiting, inspect};
use async_trait::async_trait;
use events_core::{DeliveryId, Error, EventId, Relay};
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// What a console needs of a database.
#[async_trait]
pub(crate) trait Tables: Send + Sync {
    fn system(&self) -> &'static str;
    async fn schema_version(&self) -> Result<SchemaVersion, Error>;
    async fn migrate(&self) -> Result<i64, Error>;
    fn migrations_as_sql(&self) -> String;
    async fn now(&self) -> Result<OffsetDateTime, Error>;
    async fn overview(&self, most: u32) -> Result<Overview, Error>;
    async fn waiting(&self, filter: &Filter, after: Option<Cursor>) -> Result<Page<Waiting>, Error>;
    async fn dead(&self, filter: &Filter, order: Order, after: Option<Cursor>) -> Result<Page<DeadLetter>, Error>;
    async fn dead_ids(&self, filter: &Filter, after: Option<Cursor>) -> Result<Page<DeliveryId>, Error>;
    async fn story(&self, event: EventId) -> Result<Story, Error>;
    async fn act(&self, request: Request, letters: &[DeliveryId], actor: &str) -> Result<u64, Error>;
    async fn blocking(&self, key: &str, target: Option<&str>) -> Result<Vec<DeliveryId>, Error>;
    async fn blocked(&self, limit: u32) -> Result<Vec<Blocked>, Error>;
    async fn leads(&self) -> Result<Vec<Lead>, Error>;
    async fn processes(&self) -> Result<Vec<Process>, Error>;
    async fn audit(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<AuditEntry>, Error>;
    async fn doctor(&self) -> Result<Vec<Finding>, Error>;
}

/// The tables of one database, and who is told when something was put back into them.
pub(crate) struct TablesOf<DB: Backend> {
    pub(crate) db: Arc<Db<DB>>,
    relay: Option<Relay>,
}

impl<DB: Backend> TablesOf<DB> {
    pub(crate) fn new(db: Arc<Db<DB>>) -> Self {
        Self { db, relay: None }
    }

    /// Wakes a relay of this process too.
    pub(crate) fn waking(self, relay: Relay) -> Self {
        Self { relay: Some(relay), ..self }
    }

    fn schema(&self) -> &Schema {
        &self.db.schema
    }

    /// Tells the relays that something may be due.
    async fn wake(&self) {
        if let Some(relay) = &self.relay {
            return relay.wake();
        }
        let Some(channel) = &self.db.channel else { return };
        let announce = async {
            let mut tx = DB::begin_own(&self.db.relay).await?;
            DB::announce(&mut tx, channel, self.db.terms()).await?;
            tx.commit().await
        };
        if let Err(error) = announce.await {
            tracing::debug!(%error, "the relays could not be told; they find out by polling");
        }
    }
}

/// Reads in a transaction that only reads.
///
/// A macro, because the future of a closure that borrows is not `Send` for every lifetime (rust-lang/rust#126350).
macro_rules! reading {
    ($tables:ident, $doing:literal, |$conn:ident, $terms:ident| $look:expr) => {{
        let look = async {
            let mut tx = Db::<DB>::reading(&$tables.db.business).await?;
            let ($conn, $terms) = (&mut *tx, $tables.db.terms());
            $look.await
        };
        look.await.map_err(failed::<DB>($doing))
    }};
}

#[async_trait]
impl<DB: Backend> Tables for TablesOf<DB> {
    fn system(&self) -> &'static str {
        DB::SYSTEM
    }

    async fn schema_version(&self) -> Result<SchemaVersion, Error> {
        Ok(SchemaVersion { found: version_in(&self.db.business, self.schema()).await?, known: known::<DB>() })
    }

    async fn migrate(&self) -> Result<i64, Error> {
        DB::prepare(&self.db.business).await?;
        migrate_in(&self.db.business, self.schema()).await
    }

    fn migrations_as_sql(&self) -> String {
        migrations_in::<DB>(self.schema())
    }

    async fn now(&self) -> Result<OffsetDateTime, Error> {
        let micros = reading!(self, "asking what time it is", |conn, terms| pages::now::<DB>(conn, terms))?;
        Ok(OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    async fn overview(&self, most: u32) -> Result<Overview, Error> {
        reading!(self, "counting what waits", |conn, terms| overview::look::<DB>(conn, most, self.schema(), terms))
    }

    async fn waiting(&self, filter: &Filter, after: Option<Cursor>) -> Result<Page<Waiting>, Error> {
        reading!(self, "listing deliveries", |conn, terms| async {
            let found = pages::waiting::<DB>(&mut *conn, filter, after, terms).await?;
            let rows = inspect::waiting_by_ids::<DB>(conn, &found.ids, terms).await?;
            Ok(Page { rows, next: found.next, looked: found.looked })
        })
    }

    async fn dead(&self, filter: &Filter, order: Order, after: Option<Cursor>) -> Result<Page<DeadLetter>, Error> {
        reading!(self, "listing dead letters", |conn, terms| async {
            let found = pages::dead::<DB>(&mut *conn, filter, (order, after), terms).await?;
            let rows = inspect::dead_by_ids::<DB>(conn, &found.ids, terms).await?;
            Ok(Page { rows, next: found.next, looked: found.looked })
        })
    }

    async fn dead_ids(&self, filter: &Filter, after: Option<Cursor>) -> Result<Page<DeliveryId>, Error> {
        reading!(self, "looking for dead letters", |conn, terms| async {
            let found = pages::dead::<DB>(conn, filter, (Order::OldestFirst, after), terms).await?;
            Ok(Page { rows: found.ids, next: found.next, looked: found.looked })
        })
    }

    async fn story(&self, event: EventId) -> Result<Story, Error> {
        reading!(self, "looking for an event", |conn, terms| story::of::<DB>(conn, event, terms))
    }

    async fn act(&self, request: Request, letters: &[DeliveryId], actor: &str) -> Result<u64, Error> {
        let doing = request.doing();
        let mut repeats = 0;
        let done = loop {
            let (mut tx, _writer) = self.db.begin(None).await?;
            let done = async {
                let done = act::act::<DB>(&mut tx, request, letters, actor, self.db.terms()).await?;
                tx.commit().await.map(|()| done)
            };
            match done.await {
                Err(error) if DB::collided(&error) && repeats < act::REPEATS => repeats += 1,
                done => break done.map_err(failed::<DB>(doing))?,
            }
        };
        if done > 0 {
            tracing::info!(done, actor, "{doing}");
            self.wake().await;
        }
        Ok(done)
    }

    async fn blocking(&self, key: &str, target: Option<&str>) -> Result<Vec<DeliveryId>, Error> {
        reading!(self, "looking for what blocks a key", |conn, terms| people::blocking::<DB>(conn, key, target, terms))
    }

    async fn blocked(&self, limit: u32) -> Result<Vec<Blocked>, Error> {
        reading!(self, "looking for blocked keys", |conn, terms| people::blocked::<DB>(conn, limit, terms))
    }

    async fn leads(&self) -> Result<Vec<Lead>, Error> {
        reading!(self, "asking who leads", |conn, terms| people::leads::<DB>(conn, terms))
    }

    async fn processes(&self) -> Result<Vec<Process>, Error> {
        reading!(self, "listing processes", |conn, terms| people::processes::<DB>(conn, terms))
    }

    async fn audit(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        reading!(self, "reading the audit", |conn, terms| people::audit::<DB>(conn, before, limit, terms))
    }

    async fn doctor(&self) -> Result<Vec<Finding>, Error> {
        let version = self.schema_version().await?;
        if let Some(finding) = doctor::of_version(version) {
            return Ok(vec![finding]);
        }
        reading!(self, "examining the outbox", |conn, terms| doctor::examine::<DB>(conn, self.schema(), terms))
    }
}
