//! A database with its pools, its clock and, where only one transaction can write at a time, the line for it.

use crate::backend::{Backend, Terms};
use crate::builder::Retention;
use events_core::{Clock, Error};
use sqlx::{Pool, Transaction};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How long a transaction stands in line for the only writer before that is called an error.
const WRITER_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections of the relay: one settles, one scans, one is spare for handlers with their own unit of work.
const RELAY_CONNECTIONS: u32 = 3;

pub(crate) struct Db<DB: Backend> {
    /// The user's pool.
    pub(crate) business: Pool<DB>,
    /// For the relay alone.
    pub(crate) relay: Pool<DB>,
    /// For the heartbeat alone: leases must be renewed however busy the relay is.
    pub(crate) heartbeat: Pool<DB>,
    pub(crate) clock: Clock,
    pub(crate) retention: Retention,
    /// The line for the only writer. It is fair, where the database's own busy handler sleeps and hopes.
    writer: Arc<Mutex<()>>,
}

/// A place at the head of the line, where there is one.
pub(crate) type Writer = Option<OwnedMutexGuard<()>>;

impl<DB: Backend> Db<DB> {
    pub(crate) fn new(pool: Pool<DB>, clock: Clock, retention: Retention) -> Self {
        Self {
            relay: DB::own_pool(&pool, RELAY_CONNECTIONS),
            heartbeat: DB::own_pool(&pool, 1),
            business: pool,
            clock,
            retention,
            writer: Arc::default(),
        }
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms { now: self.clock.now_override(), archive: matches!(self.retention, Retention::Archive(_)) }
    }

    /// Waits for the turn to write.
    pub(crate) async fn writer(&self) -> Result<Writer, Error> {
        if !DB::SINGLE_WRITER {
            return Ok(None);
        }
        match tokio::time::timeout(WRITER_TIMEOUT, Arc::clone(&self.writer).lock_owned()).await {
            Ok(guard) => Ok(Some(guard)),
            Err(_) => Err(Error::Timeout { doing: "waiting for another unit of work to end (does one wait for this task?)", seconds: WRITER_TIMEOUT.as_secs() }),
        }
    }

    /// Begins a transaction on `pool` that may write.
    pub(crate) async fn begin(&self, pool: &Pool<DB>) -> Result<(Transaction<'static, DB>, Writer), Error> {
        let writer = self.writer().await?;
        let tx = DB::begin(pool).await.map_err(failed::<DB>("beginning a transaction"))?;
        Ok((tx, writer))
    }
}

/// Names what failed and, where it is known, the cure.
pub(crate) fn failed<DB: Backend>(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| Error::Store { doing, cure: DB::cure(&source), source: Box::new(source) }
}
