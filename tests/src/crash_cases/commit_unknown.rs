//! Invariant 14: the connection is lost between COMMIT and its answer, or before COMMIT arrives. The client cannot tell which.

use super::{drained, from_env, open, seed};
use crate::proxy::{Loss, Proxy};
use crate::shop::{Books, Habits, Orders, Sale, ServerSite, Stall, Verdict};
use events_core::{RelayOptions, test_kit::wait_until_within};
use rand::{SeedableRng, rngs::StdRng};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// `CRASH_COMMITS` (40) COMMITs of each kind, one after the other, in a process without any scanner; by hand 500.
///
/// # Panics
/// An error of another kind, something delivered from memory, or something lost or invented.
pub async fn a_commit_without_an_answer_is_unknown_and_the_scanner_delivers_what_was_committed<S: ServerSite>() {
    let (commits, seed) = (from_env("CRASH_COMMITS", 40), seed());
    let mut dice = StdRng::seed_from_u64(seed);
    let orders = |keeper| Orders::of(keeper, seed);
    let (site, witness) = open::<S>(orders(0).keys).await;
    let proxy = Proxy::before(site.port(), S::PROTOCOL).await;
    // No loop runs in this process: whatever is told now is told from memory.
    let cut_off = Stall::<S>::outbox(&site.url_through(proxy.port()), &site.url(), &orders(0)).start_idle().await.unwrap();
    let mut sales = Vec::new();
    for keyed in [0.0, 1.0, 0.5] {
        let habits = Habits { keyed, rolled_back: 0.0, ..Habits::default() };
        for round in 0..commits {
            let loss = if round % 2 == 0 { Loss::Answer } else { Loss::Commit };
            proxy.lose_next(loss);
            let sale = Sale::run::<S>(&cut_off, &mut dice, &habits, orders(0).keys, 0).await;
            assert!(matches!(sale.verdict, Verdict::Unknown(_)), "{loss:?} was lost: {sale:?}");
            sales.push((loss, sale));
        }
    }
    assert_eq!(proxy.lost(), 3 * commits);
    let books = Books::read::<S>(&witness).await;
    for (loss, sale) in &sales {
        assert_eq!(books.has_sale(sale), *loss == Loss::Answer, "{loss:?} was lost, {sale:?}");
    }
    assert_eq!((books.calls(), cut_off.in_flight()), (0, 0), "nothing is delivered from memory");
    assert!(books.facts() > 0);
    // A scanner finds them when their leases have run out.
    let heir = Stall::<S>::open(&site.url(), &site.url(), &orders(1), |_| ()).await;
    drained::<S>(&witness, orders(0).lease + SOON).await;
    let closed = heir.close().await;
    let books = Books::read::<S>(&witness).await;
    let sales: Vec<Sale> = sales.into_iter().map(|(_, sale)| sale).collect();
    let duplicates = books.verify(&orders(0), &sales, &[], closed.stats.lease_lost);
    println!("{}: unknown={} facts={} {duplicates}", S::NAME, sales.len(), books.facts());
    assert_eq!(duplicates.count(), 0, "{duplicates}");
}

/// The COMMITs of `CRASH_COMMITS` (40) handlers with a unit of work of their own are lost, in turns both ways; by hand 500.
///
/// # Panics
/// An effect is missing or there twice, or so is an event of a handler.
pub async fn handlers_whose_commit_has_no_answer_have_their_effect_once<S: ServerSite>() {
    let (commits, seed) = (from_env("CRASH_COMMITS", 40), seed());
    let mut dice = StdRng::seed_from_u64(seed);
    let orders = |keeper| Orders { tracks: false, ..Orders::of(keeper, seed) };
    let (site, witness) = open::<S>(orders(0).keys).await;
    let proxy = Proxy::before(site.port(), S::PROTOCOL).await;
    // The relay's own COMMITs arrive.
    proxy.only_with("INSERT INTO effect");
    let unleased = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let seller = Stall::<S>::outbox(&site.url(), &site.url(), &orders(0)).relay(unleased).start_idle().await.unwrap();
    let habits = Habits { events: (1, 2), keyed: 1.0, echoes: 0.5, rolled_back: 0.0, ..Habits::default() };
    let mut sales = Vec::new();
    for _ in 0..commits {
        sales.push(Sale::run::<S>(&seller, &mut dice, &habits, orders(0).keys, 0).await);
    }
    let stall = Stall::<S>::open(&site.url_through(proxy.port()), &site.url(), &orders(1), |_| ()).await;
    for round in 0..commits {
        proxy.lose_next(if round % 2 == 0 { Loss::Answer } else { Loss::Commit });
    }
    drained::<S>(&witness, orders(0).lease * 3 + SOON).await;
    let closed = stall.close().await;
    let books = Books::read::<S>(&witness).await;
    let duplicates = books.verify(&orders(0), &sales, &[], closed.stats.lease_lost);
    println!("{}: lost={} facts={} retried={} {duplicates}", S::NAME, proxy.lost(), books.facts(), closed.stats.retried);
    assert_eq!((proxy.lost(), duplicates.count()), (commits, 0));
    assert_eq!(closed.stats.retried, 0, "a COMMIT without an answer is no failed attempt");
}

/// Publishers, handlers and settlements all lose every fifth COMMIT, until `CRASH_COMMITS` (40) callers were told so; by hand 500.
///
/// # Panics
/// Something was lost, invented, out of order, told twice without a reason, or told from memory though its COMMIT was unknown.
pub async fn under_load_lost_commits_and_answers_lose_and_invent_nothing<S: ServerSite>() {
    let (commits, seed) = (from_env("CRASH_COMMITS", 40), seed());
    let orders = |keeper| Orders::of(keeper, seed).selling(Habits::default());
    let (site, witness) = open::<S>(orders(0).keys).await;
    let proxy = Proxy::before(site.port(), S::PROTOCOL).await;
    let sales = Arc::new(Mutex::new(Vec::<Sale>::new()));
    let mut stalls = Vec::new();
    for keeper in 0..2 {
        let sales = Arc::clone(&sales);
        let url = site.url_through(proxy.port());
        stalls.push(Stall::<S>::open(&url, &site.url(), &orders(keeper), move |sale| sales.lock().unwrap().push(sale)).await);
    }
    proxy.lose_by_chance(0.2, seed);
    let unknown = || sales.lock().unwrap().iter().filter(|sale| matches!(sale.verdict, Verdict::Unknown(_))).count() as u64;
    let deadline = Duration::from_secs(30 + commits);
    let enough = wait_until_within(deadline, async || unknown() >= commits && proxy.lost() >= 3 * commits).await;
    assert!(enough, "only {} COMMITs were lost in {deadline:?}, and only {} callers were told so", proxy.lost(), unknown());
    // And now the network as a whole.
    proxy.refuse();
    proxy.cut();
    let begun = Instant::now();
    tokio::time::sleep(orders(0).lease / 2).await;
    proxy.accept();
    let away = begun.elapsed();
    proxy.lose_by_chance(0.0, 0);
    for stall in &mut stalls {
        stall.stop_selling().await;
    }
    drained::<S>(&witness, orders(0).lease + SOON).await;
    let mut lease_lost = 0;
    for stall in stalls {
        let closed = stall.close().await;
        lease_lost += closed.stats.lease_lost;
        assert_eq!(closed.left, 0, "deliveries were under way when the stall closed");
    }
    let unknown = unknown();
    let sales = std::mem::take(&mut *sales.lock().unwrap());
    let books = Books::read::<S>(&witness).await;
    let duplicates = books.verify(&orders(0), &sales, &[], lease_lost);
    let committed = sales.iter().filter(|sale| matches!(sale.verdict, Verdict::Unknown(_)) && books.has_sale(sale)).count();
    println!(
        "{}: lost={} unknown={unknown}, of them committed={committed} facts={} away={away:?} {duplicates}",
        S::NAME,
        proxy.lost(),
        books.facts()
    );
    assert!(committed > 0 && (committed as u64) < unknown, "both ways: {committed} of {unknown} were committed");
    let early = books.told_before_their_lease_ran_out(&sales, orders(0).lease);
    assert!(early.is_empty(), "told from memory though the outcome of COMMIT was unknown: {early:#?}");
}
