//! The twelve lines, end to end.
use events_core::{State, after_commit, domain_event, publish, test_kit::Seen};
use events_sqlx::sqlite::{self, Outbox, UnitOfWork};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[domain_event(topic = "order.payok", key = order_id, local)]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[after_commit]
async fn issue_ticket(event: OrderPaid, State(seen): State<Seen<i64>>) -> Result<(), std::io::Error> {
    seen.push(event.order_id);
    Ok(())
}

#[tokio::test]
async fn an_event_reaches_its_handler() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let pool = sqlite::connect(folder.path().join("a.db")).await?;
    let seen = Seen::<i64>::new();
    let outbox = Outbox::builder(pool).state(seen.clone()).install().await?;
    for id in 0..10 {
        UnitOfWork::run(async |uow| -> anyhow::Result<()> {
            sqlx::query("CREATE TABLE IF NOT EXISTS t (n)").execute(uow.conn()).await?;
            publish(OrderPaid { order_id: id % 2 })?;
            Ok(())
        })
        .await?;
    }
    seen.wait_for(10, Duration::from_secs(5)).await;
    outbox.shutdown().await;
    println!("{:?} {:?}", outbox.stats(), outbox.health());
    assert_eq!(outbox.waiting().await?, 0);
    Ok(())
}
