//! Fills an outbox as a bad day would: `cargo run -p events-tests --all-features --bin crowded -- postgres://.. [waiting]`. Afterwards 300 dead
//! letters wait for a decision, five of them block a key, and so many deliveries (200,000) wait that nobody takes.

use anyhow::{Context, bail};
use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, Transport, after_commit, domain_event, publish};
use events_sqlx::{Backend, Outbox, UnitOfWork};
use serde::{Deserialize, Serialize};
use sqlx::Pool;
use std::{env, sync::Arc, time::Duration};

/// How many orders are published in one transaction.
const BATCH: u64 = 500;
const LETTERS: u64 = 300;
const BLOCKED: u64 = 5;

#[domain_event(topic = "order.payok", key = order_id)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: u64,
    amount_cents: u64,
    customer: String,
    fails: bool,
}

#[domain_event(topic = "receipt.wanted", local)]
#[derive(Serialize, Deserialize)]
struct ReceiptWanted {
    order_id: u64,
    mail: String,
}

/// Nothing may pass an order whose ticket was not issued.
#[after_commit(manual, dead_letters = "block_key")]
async fn issue_ticket(event: OrderPaid) -> Result<(), DeliveryError> {
    if event.fails { Err(DeliveryError::terminal(format!("the ticket desk knows no order {}", event.order_id))) } else { Ok(()) }
}

#[after_commit(manual)]
async fn send_receipt(event: ReceiptWanted) -> Result<(), DeliveryError> {
    let said = match event.order_id % 3 {
        0 => format!("550 5.1.1 <{}>: no such user", event.mail),
        1 => "421 4.7.0 too many connections; <script>alert('receipt')</script>".to_owned(),
        _ => "the printer is out of paper".to_owned(),
    };
    Err(DeliveryError::terminal(said))
}

/// A broker that takes everything.
struct Anything;

#[async_trait]
impl Transport for Anything {
    fn name(&self) -> &str {
        "nats"
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        batch.iter().map(|_| Ok(())).collect()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().context("which database? postgres://.., mysql://.. or sqlite:FILE")?;
    let waiting: u64 = arguments.next().map_or(Ok(200_000), |waiting| waiting.parse()).context("how many deliveries are to wait?")?;
    match url.split_once(':').map(|(system, _)| system) {
        Some("postgres" | "postgresql") => fill(sqlx::PgPool::connect(&url).await?, waiting).await,
        Some("mysql" | "mariadb") => fill(sqlx::MySqlPool::connect(&url).await?, waiting).await,
        Some("sqlite") => {
            fill(events_sqlx::sqlite::connect(url.trim_start_matches("sqlite:").trim_start_matches("//")).await?, waiting).await
        }
        _ => bail!("the database's URL begins with `postgres:`, `mysql:` or `sqlite:`"),
    }
}

fn paid(order_id: u64, fails: bool) -> OrderPaid {
    OrderPaid { order_id, amount_cents: 1_000 + order_id % 9_000, customer: format!("customer {}", order_id % 977), fails }
}

async fn fill<DB: Backend>(pool: Pool<DB>, waiting: u64) -> anyhow::Result<()> {
    let builder =
        || Outbox::builder(pool.clone()).source("/orders").transport(Anything).handler::<issue_ticket>().handler::<send_receipt>();
    // First the bad luck, with a process that delivers.
    let outbox = builder().start().await?;
    outbox
        .run(async |_: &mut UnitOfWork<DB>| -> anyhow::Result<()> {
            for order_id in 1..=BLOCKED {
                publish(paid(order_id, true))?;
                for _ in 0..4 {
                    publish(paid(order_id, false))?;
                }
            }
            for order_id in BLOCKED + 1..=LETTERS {
                publish(ReceiptWanted { order_id, mail: format!("buyer{order_id}@example.org") })?;
            }
            Ok(())
        })
        .await?;
    let died = async {
        while outbox.dead_count().await? < LETTERS {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), died).await.context("300 letters did not die within a minute")??;
    outbox.shutdown().await;
    // Then a rush that nobody takes: each order has a ticket to be issued and goes to the broker.
    let outbox = builder().publish_only().start().await?;
    let mut order_id = 1_000;
    while outbox.waiting().await? < waiting {
        let rest = (waiting - outbox.waiting().await?).div_ceil(2);
        for _ in 0..rest.div_ceil(BATCH).min(40) {
            let batch = BATCH.min(rest);
            let first = order_id;
            order_id += batch;
            outbox
                .run(async |_: &mut UnitOfWork<DB>| (first..first + batch).try_for_each(|order| publish(paid(order, false)).map(drop)))
                .await?;
        }
    }
    println!("{} deliveries wait, {} dead letters, {BLOCKED} keys are blocked", outbox.waiting().await?, outbox.dead_count().await?);
    outbox.shutdown().await;
    Ok(())
}
