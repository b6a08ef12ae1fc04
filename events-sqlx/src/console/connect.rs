//! Finds out which database system a URL means.

use super::tables::{Tables, TablesOf};
use crate::backend::Backend;
use crate::builder::Retention;
use crate::database::Db;
use crate::statements::Schema;
use events_core::{BuildError, Clock, Error};
use sqlx::Pool;
use std::sync::Arc;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
use std::time::Duration;

/// A console needs few connections; it must not take them from the service.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
const CONNECTIONS: u32 = 3;
/// A person waits for the answer, where sqlx would go on for half a minute.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn connect(url: &str, schema: Option<&str>) -> Result<Arc<dyn Tables>, Error> {
    let schema = schema.map_or(Ok(Schema::default()), Schema::named)?;
    match url.split_once(':').map(|(system, _)| system) {
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            let options = url.parse().map_err(|error| unreadable(&error))?;
            let pool =
                crate::network::trusting(sqlx::postgres::PgPoolOptions::new()).max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
            Ok(tables(pool.connect_lazy_with(options), &schema))
        }
        #[cfg(feature = "mysql")]
        Some("mysql" | "mariadb") => {
            let options = url.parse().map_err(|error| unreadable(&error))?;
            let pool =
                crate::network::trusting(sqlx::mysql::MySqlPoolOptions::new()).max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
            Ok(tables(pool.connect_lazy_with(options), &schema))
        }
        #[cfg(feature = "sqlite")]
        Some("sqlite") => {
            let options: sqlx::sqlite::SqliteConnectOptions = url.parse().map_err(|error| unreadable(&error))?;
            let path = options.get_filename().to_owned();
            // A slip of the pen must not make a database.
            let options = crate::sqlite::connect_options(path).create_if_missing(false);
            Ok(tables(
                sqlx::sqlite::SqlitePoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE).connect_lazy_with(options),
                &schema,
            ))
        }
        _ => Err(refused("it must begin with `postgres:`, `mysql:` or `sqlite:`, and this program be built with that database")),
    }
}

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
fn tables<DB: Backend>(pool: Pool<DB>, schema: &Schema) -> Arc<dyn Tables> {
    Arc::new(TablesOf::new(Arc::new(Db::new(pool, schema, Clock::database(), Retention::Delete, true))))
}

/// The URL is not repeated: it may have a password in it.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
fn unreadable(error: &sqlx::Error) -> Error {
    tracing::debug!(%error, "the URL of a database cannot be read");
    refused("it cannot be read as a URL; percent-encode what is special in user and password")
}

fn refused(rule: &'static str) -> Error {
    BuildError::InvalidOption { option: "the database's URL", value: "the one given".into(), rule }.into()
}
