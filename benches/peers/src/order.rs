//! The business row, and what its event says.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// An order was placed. Every library stores it as its event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "awa", derive(awa::JobArgs))]
pub(crate) struct Order {
    pub(crate) order_id: u64,
    pub(crate) customer_id: i64,
    pub(crate) amount_cents: i64,
    pub(crate) note: String,
}

/// The statement for the business row.
pub(crate) const INSERT: &str = "INSERT INTO orders (customer_id, amount_cents, note) VALUES ($1, $2, $3)";

impl Order {
    /// Orders of 1,000 customers in turns.
    pub(crate) fn number(number: u64) -> Self {
        let small = i64::try_from(number % 1_000_000).unwrap_or(0);
        let note = "leave it with the neighbours".into();
        Self { order_id: number, customer_id: small % 1_000, amount_cents: small % 10_000 + 99, note }
    }

    pub(crate) async fn insert(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query(INSERT).bind(self.customer_id).bind(self.amount_cents).bind(&self.note).execute(conn).await.map(drop)
    }
}

/// A pool for so many publishers and what the library does beside them.
pub(crate) async fn pool(url: &str, tasks: usize) -> anyhow::Result<sqlx::PgPool> {
    let connections = u32::try_from(tasks)? + 12;
    Ok(sqlx::postgres::PgPoolOptions::new().max_connections(connections).test_before_acquire(false).connect(url).await?)
}
