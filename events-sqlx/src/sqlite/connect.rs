//! Opens a database file the way an outbox wants it.

use crate::database::failed;
use events_core::{BuildError, Error};
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

/// Switches the database to write-ahead logging, and refuses one that has no file.
pub(crate) async fn prepare(pool: &SqlitePool) -> Result<(), Error> {
    let doing = "preparing the database";
    let file: String = sqlx::query_scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")
        .fetch_one(pool)
        .await
        .map_err(failed::<Sqlite>(doing))?;
    if file.is_empty() {
        return Err(BuildError::InvalidOption {
            option: "the database",
            value: "in memory".into(),
            rule: "an outbox needs a file, because each of its connections would have a memory of its own; for a test, one in a temporary folder",
        }
        .into());
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.map_err(failed::<Sqlite>(doing))?;
    if mode != "wal" {
        tracing::info!(mode, "switching the database to write-ahead logging, so that readers do not wait for writers");
        sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await.map_err(failed::<Sqlite>(doing))?;
    }
    Ok(())
}
