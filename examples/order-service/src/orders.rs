//! The shop's commands. Each is one unit of work: it changes the tables and publishes the fact, or does neither.

use crate::{
    bank, clock,
    credit::CreditExceeded,
    events::{OrderCancelled, OrderPaid, OrderPlaced, OrderShipped},
    order::NewOrder,
    status::Status,
};
use events_core::publish;
use events_sqlx::sqlite::UnitOfWork;
use sqlx::SqliteConnection;

/// Why a command was refused. Nothing of it has happened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("there is no order {0}")]
    NotFound(i64),
    #[error("order {order_id} is {is}; only an order that is {needs} can be {wanted}")]
    Conflict { order_id: i64, is: Status, needs: Status, wanted: Status },
    #[error("order {0} has been placed already")]
    AlreadyPlaced(i64),
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Credit(Box<CreditExceeded>),
    #[error(transparent)]
    Declined(#[from] bank::Declined),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Outbox(events_core::Error),
}

/// What the customer gets for the money.
#[derive(Debug)]
pub(crate) struct Payment {
    pub(crate) reference: String,
    pub(crate) amount_cents: i64,
}

/// Places an order and returns its number.
pub(crate) async fn place(order: &NewOrder) -> Result<i64, OrderError> {
    order.check().map_err(OrderError::Invalid)?;
    UnitOfWork::run(async |uow| -> Result<i64, OrderError> {
        let order_id = insert(uow.conn(), order).await?;
        publish(OrderPlaced { order_id, customer: order.customer.clone(), lines: order.lines.len(), total_cents: order.total_cents() })?;
        Ok(order_id)
    })
    .await
}

/// Pays an order with a card.
pub(crate) async fn pay(order_id: i64, card: &str) -> Result<Payment, OrderError> {
    let reference = bank::new_reference();
    UnitOfWork::run(async |uow| -> Result<Payment, OrderError> {
        advance(uow.conn(), order_id, Status::Paid).await?;
        let amount_cents: i64 =
            sqlx::query_scalar("SELECT total_cents FROM orders WHERE order_id = ?").bind(order_id).fetch_one(uow.conn()).await?;
        sqlx::query("INSERT INTO payments (order_id, reference, amount_cents, paid_at) VALUES (?, ?, ?, ?)")
            .bind(order_id)
            .bind(&reference)
            .bind(amount_cents)
            .bind(clock::now())
            .execute(uow.conn())
            .await?;
        publish(OrderPaid { order_id, payment: reference.clone(), amount_cents })?;
        // The bank has the last word. If it declines, the payment is rolled back, and with it the event published above.
        bank::capture(card, &reference, amount_cents)?;
        Ok(Payment { reference: reference.clone(), amount_cents })
    })
    .await
}

/// Ships an order that is paid.
pub(crate) async fn ship(order_id: i64) -> Result<(), OrderError> {
    UnitOfWork::run(async |uow| -> Result<(), OrderError> {
        advance(uow.conn(), order_id, Status::Shipped).await?;
        let (city, country): (String, String) =
            sqlx::query_as("SELECT ship_city, ship_country FROM orders WHERE order_id = ?").bind(order_id).fetch_one(uow.conn()).await?;
        sqlx::query("INSERT INTO shipments (order_id, shipped_at) VALUES (?, ?)")
            .bind(order_id)
            .bind(clock::now())
            .execute(uow.conn())
            .await?;
        publish(OrderShipped { order_id, city, country })?;
        Ok(())
    })
    .await
}

/// Calls off an order that is not paid yet.
pub(crate) async fn cancel(order_id: i64, reason: &str) -> Result<(), OrderError> {
    UnitOfWork::run(async |uow| -> Result<(), OrderError> {
        advance(uow.conn(), order_id, Status::Cancelled).await?;
        sqlx::query("INSERT INTO cancellations (order_id, reason, cancelled_at) VALUES (?, ?, ?)")
            .bind(order_id)
            .bind(reason)
            .bind(clock::now())
            .execute(uow.conn())
            .await?;
        publish(OrderCancelled { order_id, reason: reason.to_owned() })?;
        Ok(())
    })
    .await
}

/// Where an order stands; `None` if there is no such order.
pub(crate) async fn status(db: impl sqlx::SqliteExecutor<'_>, order_id: i64) -> Result<Option<Status>, sqlx::Error> {
    let status: Option<String> =
        sqlx::query_scalar("SELECT status FROM orders WHERE order_id = ?").bind(order_id).fetch_optional(db).await?;
    status.map(|status| status.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))).transpose()
}

/// Moves an order on, on condition that it is where it must be; of two who try at once, one is refused.
async fn advance(db: &mut SqliteConnection, order_id: i64, wanted: Status) -> Result<(), OrderError> {
    let Some(needs) = wanted.follows() else { return Err(OrderError::AlreadyPlaced(order_id)) };
    let moved = sqlx::query("UPDATE orders SET status = ? WHERE order_id = ? AND status = ?")
        .bind(wanted.as_str())
        .bind(order_id)
        .bind(needs.as_str())
        .execute(&mut *db)
        .await?
        .rows_affected();
    if moved == 1 {
        return Ok(());
    }
    let is = status(db, order_id).await?.ok_or(OrderError::NotFound(order_id))?;
    Err(OrderError::Conflict { order_id, is, needs, wanted })
}

async fn insert(db: &mut SqliteConnection, order: &NewOrder) -> Result<i64, OrderError> {
    let inserted = sqlx::query(
        "INSERT INTO orders (order_id, customer, ship_name, ship_city, ship_country, freight_cents, total_cents, status, placed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(order.order_id)
    .bind(&order.customer)
    .bind(&order.ship_to.name)
    .bind(&order.ship_to.city)
    .bind(&order.ship_to.country)
    .bind(order.freight_cents)
    .bind(order.total_cents())
    .bind(Status::Placed.as_str())
    .bind(clock::now())
    .execute(&mut *db)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(OrderError::AlreadyPlaced(order.order_id.unwrap_or_default()));
    }
    let order_id = inserted.last_insert_rowid();
    for (number, line) in (1_i64..).zip(&order.lines) {
        sqlx::query(
            "INSERT INTO order_lines (order_id, line, product_id, quantity, unit_price_cents, discount_percent) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(order_id)
        .bind(number)
        .bind(line.product_id)
        .bind(line.quantity)
        .bind(line.unit_price_cents)
        .bind(line.discount_percent)
        .execute(&mut *db)
        .await?;
    }
    Ok(order_id)
}

/// A `#[before_commit]` handler's refusal comes wrapped; the shop's own reasons are taken out again.
impl From<events_core::Error> for OrderError {
    fn from(error: events_core::Error) -> Self {
        error.refusal().map_or_else(Self::Outbox, |refusal| Self::Credit(Box::new(refusal)))
    }
}
