//! Opens a database file the way an outbox wants it.

use crate::database::failed;
use events_core::Error;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool};
use std::{path::Path, time::Duration};

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Readers run side by side; writers stand in line anyway.
const CONNECTIONS: u32 = 8;

/// A pool on the database file at `path`, which is created if it is missing.
///
/// # Errors
/// The file cannot be opened or is no database.
pub async fn connect(path: impl AsRef<Path>) -> Result<SqlitePool, Error> {
    let path = path.as_ref();
    SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        // There is no server whose connections could break.
        .test_before_acquire(false)
        .connect_with(connect_options(path))
        .await
        .map_err(failed::<Sqlite>(format!("opening the database file `{}`", path.display())))
}

/// What [`connect`] connects with, to adapt it: write-ahead log, `synchronous = FULL`, foreign keys, a busy timeout of 5 s.
///
/// `synchronous = NORMAL` is about twice as fast. After a loss of power it may forget the latest commits, whole ones with their events;
/// it never separates an event from its transaction. After a crash of the process alone nothing is lost in either mode.
#[must_use]
pub fn connect_options(path: impl AsRef<Path>) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}
