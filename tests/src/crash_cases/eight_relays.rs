//! Eight relays on one table.

use super::{drained, from_env, open, seed};
use crate::shop::{Books, Habits, Keeper, Orders, Sale, ServerSite, Stall, Verdict};
use events_core::test_kit::wait_until;
use rand::{SeedableRng, rngs::StdRng};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const RELAYS: i64 = 8;
const CHILDREN: i64 = 3;

/// `EIGHT_EVENTS` (10,000; by hand 100,000) events of 1,000 keys; 3 % of the handlers' calls fail; three relays are other processes.
///
/// # Panics
/// Something was lost, invented, out of order, or told twice.
pub async fn eight_relays_deliver_each_event_once_and_in_order<S: ServerSite>(shopkeeper: &str) {
    let (events, seed) = (from_env("EIGHT_EVENTS", 10_000), seed());
    let orders = |keeper| Orders {
        lease: Duration::from_secs(30),
        keys: 1_000,
        failures: 0.03,
        connections: 4,
        enters: false,
        ..Orders::of(keeper, seed)
    };
    let habits = Habits { events: (1, 10), keyed: 0.9, echoes: 0.0, rolled_back: 0.02, ..Habits::default() };
    let (site, witness) = open::<S>(orders(0).keys).await;
    let (url, logs, sales) = (site.url(), tempfile::tempdir().unwrap(), Arc::new(Mutex::new(Vec::<Sale>::new())));
    let mut stalls = Vec::new();
    for keeper in CHILDREN..RELAYS {
        stalls.push(Stall::<S>::open(&url, &url, &orders(keeper), |_| ()).await);
    }
    let keepers: Vec<Keeper> = (0..CHILDREN).map(|keeper| Keeper::hire::<S>(shopkeeper, &url, &orders(keeper), &logs)).collect();
    wait_until("the other processes have opened", async || keepers.iter().all(Keeper::is_open)).await;
    let begun = Instant::now();
    let published = Arc::new(AtomicU64::new(0));
    let mut sellers = tokio::task::JoinSet::new();
    for (stall, seller) in stalls.iter().cycle().zip(0..16) {
        let (outbox, habits, published, sales) = (stall.outbox.clone(), habits.clone(), Arc::clone(&published), Arc::clone(&sales));
        let keys = orders(0).keys;
        sellers.spawn(async move {
            let mut dice = StdRng::seed_from_u64(seed ^ (seller << 40));
            while published.load(Ordering::Relaxed) < events {
                let sale = Sale::run::<S>(&outbox, &mut dice, &habits, keys, CHILDREN).await;
                if sale.verdict == Verdict::Committed {
                    // Five and a half on average; the books count them.
                    published.fetch_add(5, Ordering::Relaxed);
                }
                sales.lock().unwrap().push(sale);
            }
        });
    }
    sellers.join_all().await;
    let sold = begun.elapsed();
    drained::<S>(&witness, Duration::from_secs(60 + events / 200)).await;
    let drained = begun.elapsed();
    let mut heard = crate::shop::Heard::default();
    keepers.into_iter().for_each(|keeper| heard.add(keeper.dismiss()));
    for stall in stalls {
        let closed = stall.close().await;
        heard.lease_lost += closed.stats.lease_lost;
        heard.retried += closed.stats.retried;
    }
    let sales = std::mem::take(&mut *sales.lock().unwrap());
    let books = Books::read::<S>(&witness).await;
    let duplicates = books.verify(&orders(0), &sales, &[], heard.lease_lost);
    println!(
        "{}: relays={RELAYS} (by call {:?}) facts={} retried={} sold in {sold:.1?}, drained in {drained:.1?}, {duplicates}",
        S::NAME,
        books.calls_by_keeper(),
        books.facts(),
        heard.retried
    );
    assert!(books.facts() as u64 >= events && heard.retried > 0, "enough happened: {} facts, {} retried", books.facts(), heard.retried);
    assert_eq!((duplicates.count(), heard.lease_lost), (0, 0), "duplicates, lost leases");
    assert_eq!(books.calls_by_keeper().len(), RELAYS as usize, "every relay has delivered");
    let failed: Vec<&Sale> = sales.iter().filter(|sale| matches!(sale.verdict, Verdict::Failed(_) | Verdict::Unknown(_))).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
