//! Where a shop stands: a database of its own.

use crate::proxy::Protocol;
use events_core::HandlerFn;
use events_sqlx::Backend;
use sqlx::{Database, Pool};
use std::future::Future;

/// A row of whole numbers.
pub type Row = Vec<Option<i64>>;

/// One empty database with [`TABLES`](Self::TABLES); dropped, it is gone.
pub trait Site: Sized + Send + Sync + 'static {
    /// The database system.
    type Db: Backend;
    /// A handler of [`Moved`](super::Moved) named `enter` that takes `&mut UnitOfWork<Self::Db>` and calls [`Clerk::enter`](super::Clerk::enter).
    type Enter: HandlerFn;
    /// How a child process is told which system it is.
    const NAME: &'static str;
    /// The tables of the shop, one statement after the other.
    const TABLES: &'static str;

    /// Makes the database.
    fn open() -> impl Future<Output = Self> + Send;
    /// Where it is, for other processes.
    fn url(&self) -> String;
    /// A new pool on it. Connections of [`WITNESS`](Self::WITNESS) are never cut on purpose.
    fn connect(url: &str, connections: u32, purpose: &'static str) -> Pool<Self::Db>;
    /// The rows of a query.
    fn rows(conn: &mut <Self::Db as Database>::Connection, sql: String) -> impl Future<Output = sqlx::Result<Vec<Row>>> + Send;

    /// The purpose of connections of the outbox and its units of work.
    const SHOP: &'static str = "shop";
    /// The purpose of connections that only write down what happened.
    const WITNESS: &'static str = "witness";
}

/// A site on a server that can be hurt.
pub trait ServerSite: Site {
    /// Whose protocol it speaks.
    const PROTOCOL: Protocol;

    /// On which port the server listens.
    fn port(&self) -> u16;
    /// As [`url`](Site::url), by way of another port.
    fn url_through(&self, port: u16) -> String;
    /// Crashes the server and starts it again; returns when it answers.
    fn restart(&self);
    /// Cuts about half of the connections for [`SHOP`](Site::SHOP); returns how many.
    fn cut(conn: &mut <Self::Db as Database>::Connection) -> impl Future<Output = usize> + Send;
    /// How many deadlocks the server has seen.
    fn deadlocks(conn: &mut <Self::Db as Database>::Connection) -> impl Future<Output = i64> + Send;
    /// What the server has written down.
    fn log(&self) -> String;
}
