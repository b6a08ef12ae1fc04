//! Connections to a server: when to ask whether they still live, and what to do about a server that cannot be reached or trusted.

use sqlx::pool::PoolOptions;
use sqlx::{Connection, Database};
use std::io::ErrorKind;
use std::time::Duration;

/// A connection that was idle for longer may have been cut by somebody in between. sqlx would ask each time, which costs a trip.
const IDLE: Duration = Duration::from_secs(1);

/// A pool that asks a connection whether it still lives only if it was idle for a while.
pub(crate) fn trusting<DB: Database>(options: PoolOptions<DB>) -> PoolOptions<DB> {
    options.test_before_acquire(false).before_acquire(|conn, meta| {
        Box::pin(async move {
            if meta.idle_for > IDLE {
                conn.ping().await?;
            }
            Ok(true)
        })
    })
}

/// The cure that does not depend on the server's own error codes; starts with `; `.
pub(crate) fn cure(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::PoolTimedOut => {
            "; the pool had no connection in time: all are in use (raise `max_connections`), or the server cannot be reached (check that it runs)"
        }
        sqlx::Error::Tls(_) => {
            "; the connection asks for TLS: the server has to offer it, and this program to be built with the feature `tls-rustls`"
        }
        // What rustls makes of a certificate that it refuses.
        sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            "; the server is not the one that was asked for: its certificate must be signed by the CA of the connection and name its host"
        }
        sqlx::Error::Io(error) if error.kind() == ErrorKind::NotFound => {
            "; a file of the connection is missing: the CA, the client's certificate or its key, or the server's socket"
        }
        sqlx::Error::Io(_) => "; the server cannot be reached: check that it runs and where it listens",
        _ => "",
    }
}
