//! A database with its pools, its clock and, where only one transaction can write at a time, the line for it.

use crate::Isolation;
use crate::backend::{Backend, Terms, TermsOf};
use crate::builder::Retention;
use crate::channel::Channel;
use crate::cipher::Cipher;
use crate::statements::{Schema, Statements};
use events_core::{Clock, Error};
use sqlx::{Pool, Transaction};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How long a transaction stands in line for the only writer before that is called an error.
const WRITER_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections of the relay: one settles, one scans, one is spare.
const RELAY_CONNECTIONS: u32 = 3;

pub(crate) struct Db<DB: Backend> {
    /// The user's pool.
    pub(crate) business: Pool<DB>,
    /// For the relay alone.
    pub(crate) relay: Pool<DB>,
    /// For the heartbeat alone: leases must be renewed however busy the relay is.
    pub(crate) heartbeat: Pool<DB>,
    pub(crate) schema: Schema,
    pub(crate) sql: Statements,
    pub(crate) own: DB::Statements,
    pub(crate) clock: Clock,
    pub(crate) retention: Retention,
    pub(crate) inbox_retention: Duration,
    pub(crate) cipher: Cipher,
    /// Where processes wake each other up, if they do.
    pub(crate) channel: Option<Channel>,
    /// Whose turn it is to write, where only one can. It is fair, where the database's own busy handler sleeps and hopes.
    writer: Arc<Mutex<()>>,
    /// The line of units of work for that turn. The relay does not stand in it: it waits for at most one of them, because what it
    /// writes frees memory and keys, and what it has not written would be repeated after a crash.
    line: Mutex<()>,
}

/// The turn to write, where there is one.
pub(crate) type Writer = Option<OwnedMutexGuard<()>>;

impl<DB: Backend> Db<DB> {
    pub(crate) fn new(pool: Pool<DB>, schema: &Schema, clock: Clock, retention: Retention, notify: bool) -> Self {
        Self {
            // Where only one can write, more connections would only make each other's page caches stale.
            relay: DB::own_pool(&pool, if DB::SINGLE_WRITER { 1 } else { RELAY_CONNECTIONS }),
            heartbeat: DB::own_pool(&pool, 1),
            business: pool,
            schema: schema.clone(),
            sql: Statements::of(&DB::SOURCES, schema, &DB::DIALECT),
            own: DB::own_statements(schema),
            clock,
            retention,
            inbox_retention: crate::inbox::RETENTION,
            cipher: Cipher::default(),
            channel: notify.then(|| Channel::of(schema)),
            writer: Arc::default(),
            line: Mutex::default(),
        }
    }

    /// How long the inbox remembers.
    pub(crate) fn remembering(self, inbox_retention: Duration) -> Self {
        Self { inbox_retention, ..self }
    }

    /// How payloads are stored.
    #[cfg(feature = "encryption")]
    pub(crate) fn sealing(self, cipher: Cipher) -> Self {
        Self { cipher, ..self }
    }

    pub(crate) fn terms(&self) -> TermsOf<'_, DB> {
        let archive = matches!(self.retention, Retention::Archive(_));
        Terms { sql: &self.sql, own: &self.own, now: self.clock.now_override(), archive, cipher: &self.cipher }
    }

    /// Begins a unit of work's transaction.
    pub(crate) async fn begin(&self, isolation: Option<Isolation>) -> Result<(Transaction<'static, DB>, Writer), Error> {
        let writer = if DB::SINGLE_WRITER {
            in_time(async {
                let _place_in_line = self.line.lock().await;
                Arc::clone(&self.writer).lock_owned().await
            })
            .await?
        } else {
            None
        };
        let tx = DB::begin(&self.business, isolation).await.map_err(failed::<DB>("beginning a transaction"))?;
        Ok((tx, writer))
    }

    /// Begins a transaction of the relay.
    pub(crate) async fn begin_relay(&self) -> Result<(Transaction<'static, DB>, Writer), Error> {
        let writer = self.relay_writer().await?;
        let tx = DB::begin_own(&self.relay).await.map_err(failed::<DB>("beginning a transaction"))?;
        Ok((tx, writer))
    }

    /// A transaction that only reads. Even a single statement has one: behind a pooler the connection may be another one in between
    /// preparing it and executing it.
    pub(crate) async fn reading(pool: &Pool<DB>) -> sqlx::Result<Transaction<'static, DB>> {
        DB::begin_reading(pool).await
    }

    /// Waits for the relay's turn to write.
    pub(crate) async fn relay_writer(&self) -> Result<Writer, Error> {
        if DB::SINGLE_WRITER { in_time(Arc::clone(&self.writer).lock_owned()).await } else { Ok(None) }
    }
}

async fn in_time(turn: impl Future<Output = OwnedMutexGuard<()>>) -> Result<Writer, Error> {
    tokio::time::timeout(WRITER_TIMEOUT, turn).await.map(Some).map_err(|_| Error::Timeout {
        doing: "waiting for another unit of work to end (does one wait for this task?)",
        seconds: WRITER_TIMEOUT.as_secs(),
    })
}

/// Names what failed and, where it is known, the cure.
pub(crate) fn failed<DB: Backend>(doing: impl Into<Cow<'static, str>>) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| Error::Store { doing: doing.into(), cure: DB::cure(&source), source: Box::new(source) }
}
