//! Servers that a test starts for itself.

mod binaries;
mod identity;
mod mariadb;
mod pgbouncer;
mod postgres;
mod warden;

pub use identity::Identity;
pub use mariadb::MariadbServer;
pub use pgbouncer::Pgbouncer;
pub use postgres::PostgresServer;
