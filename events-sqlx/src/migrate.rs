//! Creates and upgrades the outbox tables. They have a version of their own, apart from the user's migrations.

use crate::backend::Backend;
use crate::database::failed;
use crate::statements::Schema;
use events_core::{BuildError, Error};
use sqlx::Pool;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The version that the tables have afterwards.
    pub version: i64,
    /// What it does.
    pub sql: &'static str,
}

/// Creates or upgrades the outbox tables in the database of `pool`; `install()` does it by itself.
///
/// All steps run in one transaction. Several processes may call it at once.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let pool = events_sqlx::sqlite::connect("shop.db").await?;
/// let version = events_sqlx::migrate(&pool).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`BuildError::NewerSchema`] if a newer release wrote the tables, or the database failed; nothing was changed then.
pub async fn migrate<DB: Backend>(pool: &Pool<DB>) -> Result<i64, Error> {
    migrate_in(pool, &Schema::default()).await
}

/// As [`migrate`], for tables in a schema of their own.
pub(crate) async fn migrate_in<DB: Backend>(pool: &Pool<DB>, schema: &Schema) -> Result<i64, Error> {
    let sql = DB::statements(schema);
    let doing = "migrating the outbox tables";
    let mut tx = DB::begin(pool).await.map_err(failed::<DB>(doing))?;
    let found = DB::schema_version(&mut tx, &sql).await.map_err(failed::<DB>(doing))?;
    let known = newest::<DB>();
    if found > known {
        return Err(BuildError::NewerSchema { found, known }.into());
    }
    if found == known {
        return Ok(known);
    }
    for migration in DB::MIGRATIONS.iter().filter(|migration| migration.version > found) {
        DB::execute(&mut tx, schema.applied_to(migration.sql)).await.map_err(failed::<DB>(doing))?;
    }
    DB::set_schema_version(&mut tx, &sql, known).await.map_err(failed::<DB>(doing))?;
    tx.commit().await.map_err(failed::<DB>(doing))?;
    Ok(known)
}

/// Checks the version of the tables without changing them.
pub(crate) async fn check_schema<DB: Backend>(pool: &Pool<DB>, schema: &Schema) -> Result<(), Error> {
    let doing = "reading the version of the outbox tables";
    let mut conn = pool.acquire().await.map_err(failed::<DB>(doing))?;
    let found = DB::schema_version(&mut conn, &DB::statements(schema)).await.map_err(failed::<DB>(doing))?;
    let known = newest::<DB>();
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(BuildError::OlderSchema { found, needed: known }.into()),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(BuildError::NewerSchema { found, known }.into()),
    }
}

fn newest<DB: Backend>() -> i64 {
    DB::MIGRATIONS.last().map_or(0, |migration| migration.version)
}
