//! Servers that a test starts for itself.

mod binaries;
mod identity;
mod mariadb;
mod nats;
mod pgbouncer;
mod postgres;
mod warden;

pub use identity::Identity;
pub use mariadb::MariadbServer;
pub use nats::NatsServer;
pub use pgbouncer::Pgbouncer;
pub use postgres::PostgresServer;
