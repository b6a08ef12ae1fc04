//! The second service: the gate that lets ticket holders in. It hears of payments and shipments from the broker alone, has a
//! database of its own, and expects to hear some of them twice.

use crate::{
    clock,
    events::{OrderPaid, OrderShipped},
};
use anyhow::{Context, bail};
use events_core::{DomainEvent, Envelope, Received, Subscription};
use events_sqlx::sqlite;
use sqlx::{SqliteConnection, SqlitePool};
use std::{path::Path, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

/// The ticketing service, running.
pub(crate) struct Ticketing {
    pub(crate) pool: SqlitePool,
    listener: JoinHandle<()>,
}

impl Ticketing {
    /// Opens its database and listens to the shop that calls itself `source`.
    pub(crate) async fn start(database: &Path, source: &str, mut subscription: Box<dyn Subscription>) -> anyhow::Result<Self> {
        let pool = sqlite::connect(database).await?;
        sqlx::raw_sql(include_str!("../sql/ticketing.sql")).execute(&pool).await.context("creating the tables of the ticketing service")?;
        let (gate, source) = (pool.clone(), source.to_owned());
        let listener = tokio::spawn(async move {
            while let Some(received) = subscription.next().await {
                handle(&gate, &source, received).await;
            }
        });
        Ok(Self { pool, listener })
    }

    /// Waits until it has heard of so many events, at most for `patience`. What a broker took has not arrived yet.
    pub(crate) async fn hear(&self, events: i64, patience: Duration) -> Result<(), sqlx::Error> {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let begun = Instant::now();
        loop {
            look.tick().await;
            let heard: i64 = sqlx::query_scalar("SELECT count(*) FROM inbox").fetch_one(&self.pool).await?;
            if heard >= events || begun.elapsed() >= patience {
                return Ok(());
            }
        }
    }

    /// Stops listening; what it has not acknowledged will come again.
    pub(crate) async fn stop(self) {
        self.listener.abort();
        self.pool.close().await;
    }
}

/// Acknowledges an event once it is committed here, and not before.
async fn handle(pool: &SqlitePool, source: &str, received: Received) {
    let envelope = received.envelope();
    // What other shops sell is none of our business.
    let admitted = if &*envelope.source == source { admit(pool, envelope).await } else { Ok(()) };
    let told = match admitted {
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
