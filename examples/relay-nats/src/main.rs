//! Orders are paid in SQLite; NATS hears of them, and a subscriber prints what it hears.
//!
//! `cargo run -p relay-nats`, or with an address: `cargo run -p relay-nats -- nats://user:password@host:4222`.

use events_core::{BoxError, Subscription, domain_event, publish};
use events_mq::nats::Nats;
use events_sqlx::sqlite::{self, Outbox, UnitOfWork};
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.payok", key = order_id)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let pool = sqlite::connect(std::env::temp_dir().join("relay-nats.db")).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, paid INTEGER)").execute(&pool).await?;
    let url = std::env::args().nth(1).unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned());
    let nats = Nats::builder(&url).stream("RELAY_NATS").prefix("relay-nats").connect().await?;
    let printer = tokio::spawn(print(nats.clone()));
    let outbox = Outbox::builder(pool).source("/relay-nats").transport(nats).install().await?;

    for _ in 0..5 {
        UnitOfWork::run(async |uow| -> anyhow::Result<()> {
            let paid = sqlx::query("INSERT INTO orders (paid) VALUES (1)").execute(uow.conn()).await?;
            publish(OrderPaid { order_id: paid.last_insert_rowid() })?; // anywhere on this task
            Ok(())
        })
        .await?;
    }

    printer.await?.map_err(anyhow::Error::from_boxed)?;
    outbox.shutdown().await; // lets deliveries finish, hands back the rest
    Ok(())
}

/// The other side, in its own service most often: prints five events and leaves the others to the next run.
async fn print(nats: Nats) -> Result<(), BoxError> {
    let mut printer = nats.subscribe("printer").topics("order.*").open().await?;
    for _ in 0..5 {
        let Some(received) = printer.next().await else { break };
        println!("order {} is paid (event {})", received.envelope().open::<OrderPaid>()?.order_id, received.envelope().id);
        received.ack().await?;
    }
    Ok(())
}
