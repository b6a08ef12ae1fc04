//! A database file in a temporary folder, with a business table. Both sides of every comparison open theirs here.

use events_sqlx::sqlite::connect_options;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions, SqliteSynchronous};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name of the database system in all reports.
pub(crate) const SYSTEM: &str = "sqlite";
/// As many as `events_sqlx::sqlite::connect` takes.
const CONNECTIONS: u32 = 8;

/// A database that is removed when it is dropped.
pub(crate) struct Database {
    pub(crate) pool: SqlitePool,
    file: PathBuf,
    _folder: TempDir,
}

impl Database {
    /// An empty one with the business table and the tables of the outbox.
    pub(crate) async fn create() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = Self::open(folder).await?;
        sqlx::query(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, amount_cents INTEGER NOT NULL, note TEXT NOT NULL)",
        )
        .execute(&database.pool)
        .await?;
        events_sqlx::migrate(&database.pool).await?;
        Ok(database)
    }

    /// A copy of a database that nobody uses any more.
    pub(crate) async fn copy_of(file: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::copy(file, folder.path().join(FILE))?;
        Self::open(folder).await
    }

    async fn open(folder: TempDir) -> anyhow::Result<Self> {
        let file = folder.path().join(FILE);
        let options = connect_options(&file).synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false).connect_with(options).await?;
        Ok(Self { pool, file, _folder: folder })
    }

    /// Moves everything from the write-ahead log into the file, which can be copied then.
    pub(crate) async fn settle_down(&self) -> anyhow::Result<&Path> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(&self.file)
    }
}

const FILE: &str = "bench.db";

/// The business row of a unit of work, the same on both sides.
pub(crate) async fn insert_order(conn: &mut SqliteConnection, customer_id: u64, amount_cents: i64, note: &str) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO orders (customer_id, amount_cents, note) VALUES (?, ?, ?)")
        .bind(i64::try_from(customer_id).unwrap_or(0))
        .bind(amount_cents)
        .bind(note)
        .execute(conn)
        .await
        .map(drop)
}
