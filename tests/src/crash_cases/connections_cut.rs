//! Connections are cut by the server while processes publish and relay.

use super::{drained, from_env, open, seed};
use crate::shop::{Books, Habits, Orders, Sale, ServerSite, Stall, Verdict};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// About half of all connections, ten times a second, for `CRASH_SECONDS` (5); by hand 30.
///
/// # Panics
/// Something was lost, invented, out of order, or told twice without a reason.
pub async fn connections_cut_ten_times_a_second_lose_and_invent_nothing<S: ServerSite>() {
    let (seconds, seed) = (from_env("CRASH_SECONDS", 5), seed());
    let orders = |keeper| Orders::of(keeper, seed).selling(Habits { rolled_back: 0.2, ..Habits::default() });
    let (site, witness) = open::<S>(orders(0).keys).await;
    let (url, sales) = (site.url(), Arc::new(Mutex::new(Vec::<Sale>::new())));
    let mut stalls = Vec::new();
    for keeper in 0..2 {
        let sales = Arc::clone(&sales);
        stalls.push(Stall::<S>::open(&url, &url, &orders(keeper), move |sale| sales.lock().unwrap().push(sale)).await);
    }
    let (mut conn, mut cuts) = (witness.acquire().await.unwrap(), 0);
    let (mut tick, end) = (tokio::time::interval(Duration::from_millis(100)), Instant::now() + Duration::from_secs(seconds));
    while Instant::now() < end {
        tick.tick().await;
        cuts += S::cut(&mut conn).await;
    }
    for stall in &mut stalls {
        stall.stop_selling().await;
    }
    drained::<S>(&witness, orders(0).lease + Duration::from_secs(20)).await;
    let mut lease_lost = 0;
    let mut store_errors = 0;
    for stall in stalls {
        let closed = stall.close().await;
        lease_lost += closed.stats.lease_lost;
        store_errors += closed.stats.store_errors;
        assert_eq!(closed.left, 0, "deliveries were under way when the stall closed");
    }
    let sales = std::mem::take(&mut *sales.lock().unwrap());
    let books = Books::read::<S>(&witness).await;
    let duplicates = books.verify(&orders(0), &sales, &[], lease_lost);
    let count = |is: fn(&Verdict) -> bool| sales.iter().filter(|sale| is(&sale.verdict)).count();
    let committed = count(|verdict| *verdict == Verdict::Committed);
    let (failed, unknown) =
        (count(|verdict| matches!(verdict, Verdict::Failed(_))), count(|verdict| matches!(verdict, Verdict::Unknown(_))));
    println!(
        "{}: cuts={cuts} facts={} committed={committed} failed={failed} unknown={unknown} store_errors={store_errors} {duplicates}",
        S::NAME,
        books.facts()
    );
    assert!(cuts as u64 > 20 * seconds && failed + unknown > 0, "the cuts hit somebody: {cuts} cuts, {failed} failed, {unknown} unknown");
    assert!(committed > 0, "somebody got through");
}
