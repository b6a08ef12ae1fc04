//! Commits until the operating system refuses to let the file grow; run by a test under `ulimit -f`.
//!
//! Prints what it saw, one fact per line.
#![allow(clippy::unwrap_used)]

use events_core::{Completion, DomainEvent, Error, State, after_commit, after_completion, test_kit::Seen};
use events_sqlx::sqlite::{self, Outbox};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An event that may be large. Declared by hand, as everything that only one process has.
#[derive(Serialize, Deserialize)]
struct Grown {
    n: i64,
    weight: String,
}

impl DomainEvent for Grown {
    const TOPIC: &'static str = "test.grown";
    const LOCAL: bool = true;
}

#[after_commit(manual)]
async fn weigh(event: Grown, State(seen): State<Seen<i64>>) {
    seen.push(event.n);
}

#[after_completion(manual)]
async fn told(event: Grown, completion: Completion, State(seen): State<Seen<(i64, Completion)>>) {
    seen.push((event.n, completion));
}

#[tokio::main]
async fn main() {
    let path = std::env::args().nth(1).unwrap();
    let restarted = std::env::args().nth(2).is_some();
    let (seen, completions) = (Seen::<i64>::new(), Seen::<(i64, Completion)>::new());
    let pool = sqlite::connect(&path).await.unwrap();
    sqlx::query("CREATE TABLE IF NOT EXISTS business (n INTEGER PRIMARY KEY)").execute(&pool).await.unwrap();
    let builder = Outbox::builder(pool.clone()).without_linked_handlers().event::<Grown>().handler::<weigh>().handler::<told>();
    let outbox = builder.state(seen.clone()).state(completions.clone()).start().await.unwrap();
    if !restarted {
        commit(&outbox, 1, 10).await.unwrap();
        seen.wait_for(1, Duration::from_secs(10)).await;
        let error = commit(&outbox, 2, 900_000).await.unwrap_err();
        println!("error: {error}");
        println!("unknown: {}", matches!(error, Error::CommitUnknown { .. }));
        println!("source: {}", error.report());
        completions.wait_for(2, Duration::from_secs(10)).await;
        println!("told: {:?}", completions.all()[1]);
        println!("in flight: {}", outbox.in_flight());
        // What fits can still be committed.
        commit(&outbox, 3, 10).await.unwrap();
        seen.wait_for(2, Duration::from_secs(10)).await;
    }
    while outbox.waiting().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("delivered: {:?}", seen.all());
    let rows: Vec<i64> = sqlx::query_scalar("SELECT n FROM business ORDER BY n").fetch_all(&pool).await.unwrap();
    println!("business: {rows:?}");
    outbox.shutdown().await;
}

async fn commit(outbox: &Outbox, n: i64, weight: usize) -> Result<(), Error> {
    let mut uow = outbox.begin().await?;
    sqlx::query("INSERT INTO business (n) VALUES (?)").bind(n).execute(uow.conn()).await.unwrap();
    uow.publish(Grown { n, weight: "x".repeat(weight) })?;
    uow.commit().await
}
