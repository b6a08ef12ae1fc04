//! Deadlock freedom: many write to the same keys in any order, while handlers publish in the units of work that settle their deliveries.

use super::{drained, from_env, open, seed};
use crate::shop::{Books, Habits, Orders, Sale, ServerSite, Stall, Verdict};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const WRITERS: u64 = 32;

/// 32 writers, two to five events each time, 50 keys, for `DEADLOCK_SECONDS` (5); by hand 60.
///
/// # Panics
/// A writer or a handler was told of a deadlock or of any other error, or something was lost, invented, out of order or told twice.
pub async fn writers_with_overlapping_keys_and_handlers_that_publish_never_deadlock<S: ServerSite>() {
    let (seconds, seed) = (from_env("DEADLOCK_SECONDS", 5), seed());
    let habits = Habits {
        sellers: WRITERS / 2,
        events: (2, 5),
        keyed: 1.0,
        echoes: 0.5,
        rolled_back: 0.0,
        pause: Duration::from_millis(5),
        backlog: 2_000,
    };
    let orders = |keeper| {
        let connections = WRITERS as u32 / 2 + 8;
        Orders { keys: 50, lease: Duration::from_secs(30), connections, ..Orders::of(keeper, seed) }.selling(habits.clone())
    };
    let (site, witness) = open::<S>(orders(0).keys).await;
    let (url, sales) = (site.url(), Arc::new(Mutex::new(Vec::<Sale>::new())));
    let begun = Instant::now();
    let mut stalls = Vec::new();
    for keeper in 0..2 {
        let sales = Arc::clone(&sales);
        stalls.push(Stall::<S>::open(&url, &url, &orders(keeper), move |sale| sales.lock().unwrap().push(sale)).await);
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    for stall in &mut stalls {
        stall.stop_selling().await;
    }
    drained::<S>(&witness, Duration::from_secs(60)).await;
    let elapsed = begun.elapsed();
    let (mut retried, mut lease_lost, mut store_errors) = (0, 0, 0);
    for stall in stalls {
        let stats = stall.close().await.stats;
        (retried, lease_lost, store_errors) = (retried + stats.retried, lease_lost + stats.lease_lost, store_errors + stats.store_errors);
    }
    let sales = std::mem::take(&mut *sales.lock().unwrap());
    let books = Books::read::<S>(&witness).await;
    let deadlocks = S::deadlocks(&mut *witness.acquire().await.unwrap()).await;
    let failed: Vec<&Sale> = sales.iter().filter(|sale| sale.verdict != Verdict::Committed).collect();
    println!(
        "{}: writers={WRITERS} sales={} failed={} facts={} retried={retried} store_errors={store_errors} deadlocks={deadlocks} in {elapsed:.1?}",
        S::NAME,
        sales.len(),
        failed.len(),
        books.facts()
    );
    let duplicates = books.verify(&orders(0), &sales, &[], lease_lost);
    assert!(failed.is_empty(), "{} units of work failed: {:#?}", failed.len(), failed.iter().take(5).collect::<Vec<_>>());
    let log = deadlocks_in(&site.log());
    assert_eq!(retried, 0, "attempts of handlers were burned; deadlocks seen by the server: {deadlocks}\n{log}");
    assert_eq!((duplicates.count(), store_errors), (0, 0), "{duplicates}, errors of the relay; deadlocks: {deadlocks}\n{log}");
}

/// The first deadlock in the log of the server.
fn deadlocks_in(log: &str) -> String {
    let lines: Vec<&str> = log.lines().skip_while(|line| !line.to_lowercase().contains("deadlock")).take(12).collect();
    lines.join("\n")
}
