//! The server crashes and comes back while processes publish and relay.

use super::{drained, from_env, open, seed};
use crate::shop::{Blow, Books, Habits, Keeper, Orders, Sale, ServerSite, Stall, Verdict, now};
use events_core::test_kit::wait_until;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// `CRASH_RESTARTS` (3) crashes; by hand 20.
///
/// # Panics
/// Something was lost, invented, out of order, or told twice without a reason.
pub async fn a_server_that_crashes_loses_and_invents_nothing<S: ServerSite>(shopkeeper: &str) {
    let (restarts, seed) = (from_env("CRASH_RESTARTS", 3), seed());
    let mut dice = StdRng::seed_from_u64(seed);
    let orders = |keeper| Orders::of(keeper, seed).selling(Habits::default());
    let (site, witness) = open::<S>(orders(0).keys).await;
    let (url, logs, sales) = (site.url(), tempfile::tempdir().unwrap(), Arc::new(Mutex::new(Vec::<Sale>::new())));
    let mut keeper = Keeper::hire::<S>(shopkeeper, &url, &orders(1), &logs);
    let mut stall = Stall::<S>::open(&url, &url, &orders(0), {
        let sales = Arc::clone(&sales);
        move |sale| sales.lock().unwrap().push(sale)
    })
    .await;
    wait_until("the other process has opened", async || keeper.is_open()).await;
    let mut blows = Vec::new();
    for _ in 0..restarts {
        // The moment of the crash is drawn at random.
        tokio::time::sleep(dice.random_range(Duration::from_millis(200)..Duration::from_millis(1_500))).await;
        let begun = now();
        tokio::task::block_in_place(|| site.restart());
        blows.push(Blow::Restarted { begun, ended: now() });
    }
    let committed = || sales.lock().unwrap().iter().filter(|sale| sale.verdict == Verdict::Committed).count();
    let before = committed();
    wait_until("sales go on after the last crash", async || committed() > before + 5).await;
    keeper.stop_selling();
    stall.stop_selling().await;
    wait_until("nobody sells", async || keeper.is_quiet()).await;
    drained::<S>(&witness, orders(0).lease + Duration::from_secs(20)).await;
    let closed = stall.close().await;
    let mut heard = keeper.dismiss();
    heard.sales.extend(sales.lock().unwrap().drain(..));
    let books = Books::read::<S>(&witness).await;
    let duplicates = books.verify(&orders(0), &heard.sales, &blows, heard.lease_lost + closed.stats.lease_lost);
    let unknown = heard.sales.iter().filter(|sale| matches!(sale.verdict, Verdict::Unknown(_))).count();
    let failed = heard.sales.iter().filter(|sale| matches!(sale.verdict, Verdict::Failed(_))).count();
    println!("{}: crashes={restarts} facts={} failed={failed} unknown={unknown} {duplicates}", S::NAME, books.facts());
    assert!(failed + unknown > 0, "no unit of work noticed the crashes");
    assert_eq!(closed.left, 0, "deliveries were under way when the stall closed");
}
