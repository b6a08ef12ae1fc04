//! Creates and upgrades the outbox tables. They have a version of their own, apart from the user's migrations.

use crate::backend::{Backend, run};
use crate::database::{Db, failed};
use crate::inspect::number;
use crate::statements::{Schema, Statements};
use crate::values::Values;
use events_core::{BuildError, Error};
use sqlx::Pool;

/// What is being done when it fails.
const MIGRATING: &str = "migrating the outbox tables";

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
/// All steps run in one transaction (on MySQL, where DDL commits by itself, they can be repeated). Several processes may call it at once.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let pool = events_sqlx::sqlite::connect("shop.db").await?;
/// let version = events_sqlx::migrate(&pool).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`BuildError::NewerSchema`] if a newer release wrote the tables, or the database failed; call it again then.
pub async fn migrate<DB: Backend>(pool: &Pool<DB>) -> Result<i64, Error> {
    migrate_in(pool, &Schema::default()).await
}

/// The SQL that [`migrate`] runs on a database without outbox tables, for a person to read and to apply by hand; then build the outbox
/// with `.without_migrations()`. `schema` is the one given to `.schema(..)`.
///
/// ```
/// # #[cfg(feature = "postgres")] {
/// println!("{}", events_sqlx::migrations_as_sql::<sqlx::Postgres>(Some("qmq_produce"))?);
/// # }
/// # Ok::<(), events_core::BuildError>(())
/// ```
///
/// # Errors
/// The schema's name is no plain identifier.
pub fn migrations_as_sql<DB: Backend>(schema: Option<&str>) -> Result<String, BuildError> {
    Ok(migrations_in::<DB>(&schema.map_or(Ok(Schema::default()), Schema::named)?))
}

/// As [`migrations_as_sql`], for a schema whose name is a plain identifier.
pub(crate) fn migrations_in<DB: Backend>(schema: &Schema) -> String {
    let version = format!("UPDATE {{schema}}outbox_meta SET schema_version = {};\n", known::<DB>());
    let steps: String = DB::MIGRATIONS.iter().map(|migration| migration.sql).chain([&*version]).collect::<Vec<_>>().join("\n");
    schema.applied_to(&steps, DB::DIALECT.quote)
}

/// As [`migrate`], for tables in a schema of their own.
pub(crate) async fn migrate_in<DB: Backend>(pool: &Pool<DB>, schema: &Schema) -> Result<i64, Error> {
    let mut tx = DB::begin(pool, None).await.map_err(failed::<DB>(MIGRATING))?;
    DB::migrating(&mut tx).await.map_err(failed::<DB>(MIGRATING))?;
    let migrated = steps::<DB>(&mut tx, schema).await;
    // Also after a failure: the connection goes back to its pool.
    DB::migrated(&mut tx).await.map_err(failed::<DB>(MIGRATING))?;
    let version = migrated?;
    tx.commit().await.map_err(failed::<DB>(MIGRATING))?;
    Ok(version)
}

async fn steps<DB: Backend>(conn: &mut DB::Connection, schema: &Schema) -> Result<i64, Error> {
    let sql = Statements::of(&DB::SOURCES, schema, &DB::DIALECT);
    let found = version::<DB>(conn, schema, &sql).await.map_err(failed::<DB>(MIGRATING))?;
    let known = known::<DB>();
    if found > known {
        return Err(BuildError::NewerSchema { found, known }.into());
    }
    if found == known {
        return Ok(known);
    }
    for migration in DB::MIGRATIONS.iter().filter(|migration| migration.version > found) {
        DB::execute(conn, schema.applied_to(migration.sql, DB::DIALECT.quote)).await.map_err(failed::<DB>(MIGRATING))?;
    }
    let values = Values::default().int("version", known);
    run::<DB>(conn, &sql.set_schema_version, &values, None).await.map_err(failed::<DB>(MIGRATING))?;
    Ok(known)
}

/// The version of the tables; 0 if there are none.
async fn version<DB: Backend>(conn: &mut DB::Connection, schema: &Schema, sql: &Statements) -> sqlx::Result<i64> {
    if number::<DB>(conn, &sql.meta_exists, &Values::default().text("schema", schema.name())).await? == 0 {
        return Ok(0);
    }
    Ok(i64::try_from(number::<DB>(conn, &sql.schema_version, &Values::default()).await?).unwrap_or(i64::MAX))
}

/// Checks the version of the tables without changing them.
pub(crate) async fn check_schema<DB: Backend>(pool: &Pool<DB>, schema: &Schema) -> Result<(), Error> {
    let found = version_in(pool, schema).await?;
    let known = known::<DB>();
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(BuildError::OlderSchema { found, needed: known }.into()),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(BuildError::NewerSchema { found, known }.into()),
    }
}

/// The version of the tables in the database of `pool`; 0 if there are none.
pub(crate) async fn version_in<DB: Backend>(pool: &Pool<DB>, schema: &Schema) -> Result<i64, Error> {
    let sql = Statements::of(&DB::SOURCES, schema, &DB::DIALECT);
    let look = async { version::<DB>(&mut *Db::<DB>::reading(pool).await?, schema, &sql).await };
    look.await.map_err(failed::<DB>("reading the version of the outbox tables"))
}

/// The version that this release writes.
pub(crate) fn known<DB: Backend>() -> i64 {
    DB::MIGRATIONS.last().map_or(0, |migration| migration.version)
}
