//! An order as the shop shows it.

use crate::{
    clock,
    order::{Address, Line},
    orders,
    status::Status,
};
use serde::Serialize;
use sqlx::SqlitePool;

/// Everything about one order.
#[derive(Debug, Serialize)]
pub(crate) struct OrderView {
    order_id: i64,
    status: Status,
    customer: String,
    ship_to: Address,
    lines: Vec<Line>,
    freight_cents: i64,
    total_cents: i64,
    placed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
    /// Issued soon after the payment, by a handler.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_no: Option<i64>,
}

/// Looks an order up.
pub(crate) async fn order(pool: &SqlitePool, order_id: i64) -> Result<Option<OrderView>, sqlx::Error> {
    // One transaction, so that the order, its lines and its ticket are of one moment.
    let mut tx = pool.begin().await?;
    let Some(status) = orders::status(&mut *tx, order_id).await? else { return Ok(None) };
    let (customer, name, city, country, freight_cents, total_cents, placed_at): (String, String, String, String, i64, i64, i64) =
        sqlx::query_as(
            "SELECT customer, ship_name, ship_city, ship_country, freight_cents, total_cents, placed_at FROM orders WHERE order_id = ?",
        )
        .bind(order_id)
        .fetch_one(&mut *tx)
        .await?;
    let lines: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as("SELECT product_id, quantity, unit_price_cents, discount_percent FROM order_lines WHERE order_id = ? ORDER BY line")
            .bind(order_id)
            .fetch_all(&mut *tx)
            .await?;
    let payment = sqlx::query_scalar("SELECT reference FROM payments WHERE order_id = ?").bind(order_id).fetch_optional(&mut *tx).await?;
    let ticket_no = sqlx::query_scalar("SELECT ticket_no FROM tickets WHERE order_id = ?").bind(order_id).fetch_optional(&mut *tx).await?;
    tx.rollback().await?;
    Ok(Some(OrderView {
        order_id,
        status,
        customer,
        ship_to: Address { name, city, country },
        lines: lines
            .into_iter()
            .map(|(product_id, quantity, unit_price_cents, discount_percent)| Line {
                product_id,
                quantity,
                unit_price_cents,
                discount_percent,
            })
            .collect(),
        freight_cents,
        total_cents,
        placed_at: clock::text(placed_at),
        payment,
        ticket_no,
    }))
}
