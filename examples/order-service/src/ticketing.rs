//! The second service: the gate that lets ticket holders in. It hears of payments and shipments from the broker alone, has a
//! database of its own, and expects to hear some of them twice.

use crate::{
    clock,
    events::{OrderPaid, OrderShipped},
};
use anyhow::{Context, bail};
use events_core::{DomainEvent, Envelope, MemoryTransport, Received, Subscription};
use events_sqlx::sqlite;
use sqlx::{SqliteConnection, SqlitePool};
use std::path::Path;
use tokio::task::JoinHandle;

/// The ticketing service, running.
pub(crate) struct Ticketing {
    pub(crate) pool: SqlitePool,
    listener: JoinHandle<()>,
}

impl Ticketing {
    /// Opens its database and subscribes to the broker.
    pub(crate) async fn start(database: &Path, broker: &MemoryTransport) -> anyhow::Result<Self> {
        let pool = sqlite::connect(database).await?;
        sqlx::raw_sql(include_str!("../sql/ticketing.sql")).execute(&pool).await.context("creating the tables of the ticketing service")?;
        let mut subscription = broker.subscribe("order.*");
        let gate = pool.clone();
        let listener = tokio::spawn(async move {
            while let Some(received) = subscription.next().await {
                handle(&gate, received).await;
            }
        });
        Ok(Self { pool, listener })
    }

    /// Stops listening; what it has not acknowledged will come again.
    pub(crate) async fn stop(self) {
        self.listener.abort();
        self.pool.close().await;
    }
}

/// Acknowledges an event once it is committed here, and not before.
async fn handle(pool: &SqlitePool, received: Received) {
    let told = match admit(pool, received.envelope()).await {
        Ok(()) => received.ack().await,
        Err(error) => received.nack(format!("{error:#}")).await,
    };
    if let Err(error) = told {
        tracing::warn!(%error, "the broker did not hear the answer; the event will come again");
    }
}

async fn admit(pool: &SqlitePool, envelope: &Envelope) -> anyhow::Result<()> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    match &*envelope.topic {
        OrderPaid::TOPIC => {
            let paid: OrderPaid = open(envelope)?;
            if is_news(&mut tx, envelope, paid.order_id, Some(&paid.payment)).await? {
                set_pass(&mut tx, paid.order_id, "valid").await?;
            }
        }
        OrderShipped::TOPIC => {
            let shipped: OrderShipped = open(envelope)?;
            if is_news(&mut tx, envelope, shipped.order_id, None).await? {
                set_pass(&mut tx, shipped.order_id, "used").await?;
            }
        }
        other => bail!("the ticketing service does not know topic `{other}`"),
    }
    tx.commit().await?;
    Ok(())
}

fn open<E: DomainEvent>(envelope: &Envelope) -> anyhow::Result<E> {
    envelope.open().map_err(anyhow::Error::from_boxed)
}

/// Notes that an event arrived, and says whether it is the first time.
async fn is_news(db: &mut SqliteConnection, envelope: &Envelope, order_id: i64, payment: Option<&str>) -> Result<bool, sqlx::Error> {
    let deliveries: i64 = sqlx::query_scalar(
        "INSERT INTO inbox (event_id, topic, order_id, payment, occurred_at, received_at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (event_id) DO UPDATE SET deliveries = deliveries + 1 RETURNING deliveries",
    )
    .bind(envelope.id.to_string())
    .bind(&*envelope.topic)
    .bind(order_id)
    .bind(payment)
    .bind(clock::micros(envelope.occurred_at))
    .bind(clock::now())
    .fetch_one(db)
    .await?;
    Ok(deliveries == 1)
}

async fn set_pass(db: &mut SqliteConnection, order_id: i64, state: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO passes (order_id, state) VALUES (?, ?) ON CONFLICT (order_id) DO UPDATE SET state = excluded.state")
        .bind(order_id)
        .bind(state)
        .execute(db)
        .await?;
    Ok(())
}
