//! What a database must bring to be put to the test.

use events_core::HandlerFn;
use events_sqlx::Backend;
use sqlx::{Database, Pool};
use std::future::Future;

/// A connection to the database of `H`.
pub type Conn<H> = <<H as Harness>::Db as Database>::Connection;

/// One empty database with a table `business (n BIGINT PRIMARY KEY, step BIGINT NOT NULL DEFAULT 0)`; dropped, it removes it.
pub trait Harness: Sized + Send + Sync + 'static {
    /// The database system.
    type Db: Backend;
    /// A handler of [`Booked`](crate::events::Booked) that takes `&mut UnitOfWork<Self::Db>` and calls [`Scene::book`](crate::Scene::book).
    type Book: HandlerFn;
    /// As [`Book`](Self::Book), a `#[subscribe]` handler of the group `suite`.
    type Take: HandlerFn;
    /// An assignment that makes a row of `outbox` unreadable, such as `headers = 'no JSON'`.
    const UNREADABLE: &'static str;

    /// Makes the database.
    fn fresh() -> impl Future<Output = Self> + Send;
    /// A new pool on it, as another process would have.
    fn connect(&self) -> impl Future<Output = Pool<Self::Db>> + Send;
    /// The first column of a query.
    fn numbers(conn: &mut Conn<Self>, sql: String) -> impl Future<Output = sqlx::Result<Vec<i64>>> + Send;
    /// Whether a transaction is open that writes, or could hold up others.
    fn is_transaction_open(&self) -> impl Future<Output = bool> + Send;
}
