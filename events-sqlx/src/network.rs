//! What to do about a server that cannot be reached, or not be trusted.

use std::io::ErrorKind;

/// The cure that does not depend on the server's own error codes; starts with `; `.
pub(crate) fn cure(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::PoolTimedOut => "; all connections of the pool are in use: raise `max_connections`",
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
