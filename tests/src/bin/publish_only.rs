//! A process that only publishes: `publish_only <database url> <events> <pause in ms> <notify>`. Each event carries the time of its COMMIT.

use events_core::publish;
use events_sqlx::postgres::Outbox;
use events_tests::events::{Noted, note};
use std::time::Duration;
use time::OffsetDateTime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [url, events, pause, notify] = given.as_slice() else {
        anyhow::bail!("usage: publish_only <database url> <events> <pause in ms> <notify>");
    };
    let (events, pause): (u32, u64) = (events.parse()?, pause.parse()?);
    let builder = Outbox::builder(sqlx::PgPool::connect(url).await?).without_linked_handlers().handler::<note>();
    let outbox = builder.publish_only().notify(notify.parse()?).start().await?;
    for _ in 0..events {
        // No multiple of the poll interval, so that every moment between two polls is hit.
        tokio::time::sleep(Duration::from_millis(rand::random_range(pause / 2..=pause * 3 / 2))).await;
        // The time is taken a little before COMMIT: what is measured is that much too long.
        let now = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000)?;
        outbox.run(async |_| publish(Noted { n: now })).await?;
    }
    outbox.shutdown().await;
    Ok(())
}
