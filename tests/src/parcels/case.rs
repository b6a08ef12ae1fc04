//! Packers and the broker are killed at random moments, and every parcel is packed and shipped once.

use super::strike::Strike;
use super::{Depot, GROUP, Ordered, Packer, Register, TERMS, Tally};
use crate::crash_cases::from_env;
use crate::{BrokerHarness, OnSqlite, Scene};
use events_core::{RelayOptions, test_kit::wait_until_within};
use events_sqlx::{Outbox, UnitOfWork};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::Sqlite;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many packers there are at a time.
const PACKERS: u64 = 2;
/// So many orders are published in one unit of work.
const BATCH: u64 = 10;
/// For so long a dead broker or packer may hold up everybody: a slow server starts, a group finds out who has died, or a client waits for a
/// minute for an answer that died with its broker.
const HOLD_UP: Duration = Duration::from_secs(180);
/// From so many events on, the test must have seen what it is about.
const MANY: u64 = 5_000;

/// `ONCE_EVENTS` (400) events, `ONCE_KILLS` (2) packers killed, and two brokers for every three of them; by hand 20,000 and 30.
///
/// # Panics
/// An effect is missing or there twice, or nothing happened that could have done that.
pub async fn each_effect_happens_exactly_once<B: BrokerHarness, D: Depot>(program: &str) {
    let log = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing_subscriber::filter::LevelFilter::ERROR);
    let _ = log.try_init();
    let (events, kills) = (from_env("ONCE_EVENTS", 400), from_env("ONCE_KILLS", 2));
    let seed = from_env("ONCE_SEED", rand::rng().random_range(0..1_000_000));
    println!("ONCE_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let strikes = Strike::plan(events, kills, &mut dice);

    let (broker, depot) = (Arc::new(B::start().await), D::fresh().await);
    let pool = depot.connect().await;
    D::furnish(&pool).await;
    let (register, logs) = (Register::default(), tempfile::tempdir().unwrap());
    let hire = |number| Packer::hire(number, program, &*broker, &depot, &register, &logs);
    let mut packers: Vec<Packer> = (0..PACKERS).map(hire).collect();
    let mut next = PACKERS;
    // The first ones make what they need at the broker, so nothing is sent that nobody would get.
    until("the first packers have opened", &packers, async || packers.iter().all(Packer::is_open)).await;

    let scene = Scene::<OnSqlite>::new().await;
    let limits = RelayOptions { poll: Duration::from_millis(50), ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).transport(broker.transport_to_many().await).start().await.unwrap();
    let begun = Instant::now();
    let publishing = tokio::spawn(publish(outbox.clone(), events, register.clone()));
    let (mut packer_kills, mut broker_kills) = (0, 0);
    for strike in strikes {
        until("enough orders are received", &packers, async || register.orders() >= strike.after).await;
        // Who has nothing yet would lose nothing.
        until("a packer is at work", &packers, async || packers.iter().any(Packer::is_at_work)).await;
        // This is no wait for something to happen: the moment of the kill is what is drawn at random.
        tokio::time::sleep(strike.pause).await;
        let dying = strike.broker.map(|outage| {
            broker_kills += 1;
            let broker = Arc::clone(&broker);
            tokio::task::spawn_blocking(move || {
                broker.kill();
                std::thread::sleep(outage);
                broker.start_again();
            })
        });
        if strike.packer {
            let at_work: Vec<usize> = (0..packers.len()).filter(|it| packers[*it].is_at_work()).collect();
            packers.swap_remove(at_work[dice.random_range(0..at_work.len())]).kill();
            packer_kills += 1;
            packers.push(hire(next));
            next += 1;
        }
        if let Some(dying) = dying {
            dying.await.unwrap();
        }
    }
    publishing.await.unwrap();
    let parcels = i64::try_from(events).unwrap();
    let patience = HOLD_UP + Duration::from_secs(events / 50);
    let count = async || Tally::of::<D>(&mut *pool.acquire().await.unwrap(), parcels).await.unwrap();
    let complete = async || register.orders() >= events && count().await.is_complete();
    if !wait_until_within(patience, complete).await {
        println!("not everything has happened {patience:?} after all was published: {:?}", outbox.stats());
        packers.iter().for_each(|packer| println!("{}", packer.log()));
    }
    let took = begun.elapsed();
    // What a dead packer had comes once more, though it may have had its effect.
    let all_came = async || register.quiet() > TERMS.ack_wait + Duration::from_secs(1);
    assert!(wait_until_within(patience, all_came).await, "events go on coming");
    packers.into_iter().for_each(Packer::dismiss);

    let (tally, redelivered, known) = (count().await, register.redelivered(), register.known());
    println!(
        "{} -> {}: {tally} redelivered={redelivered} known_to_the_inbox={known} consumer_kills={packer_kills} broker_kills={broker_kills} \
         in {took:.1?}",
        B::NAME,
        D::NAME,
    );
    assert_eq!(tally, Tally::exactly_once(parcels));
    let buried = broker.dead_letters(GROUP).await;
    assert!(buried.is_empty(), "{} dead letters, such as {:?}", buried.len(), buried.first());
    assert_eq!((packer_kills, broker_kills > 0), (kills, kills > 1), "what was killed");
    assert!(events < MANY || (redelivered > 0 && known > 0), "nothing ever came again, so nothing could have had its effect twice");
    outbox.shutdown().await;
}

/// Publishes all orders, never far ahead of what was received: so the broker is alive and dead while some are on their way to it.
async fn publish(outbox: Outbox<Sqlite>, events: u64, register: Register) {
    let ahead = (events / 20).max(100);
    let mut begin = 0;
    while begin < events {
        let end = (begin + BATCH).min(events);
        let deadline = Instant::now() + HOLD_UP * 2;
        while end > register.orders() + ahead {
            assert!(Instant::now() < deadline, "only {} of {begin} orders were received", register.orders());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let orders =
            async move |uow: &mut UnitOfWork<Sqlite>| (begin..end).try_for_each(|n| uow.publish(Ordered { n: n.cast_signed() }).map(drop));
        outbox.run(orders).await.unwrap();
        begin = end;
    }
}

/// Waits as long as something dead may hold it up.
async fn until(what: &str, packers: &[Packer], condition: impl AsyncFnMut() -> bool) {
    let logs = || packers.iter().map(Packer::log).collect::<Vec<_>>().join("\n");
    assert!(wait_until_within(HOLD_UP, condition).await, "waited {HOLD_UP:?} in vain until {what}:\n{}", logs());
}
