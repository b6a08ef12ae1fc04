//! From units of work through the outbox to the broker.

use super::SOON;
use crate::events::{Heavy, Noted, Sent, note};
use crate::{BrokerHarness, OnSqlite, Scene, Terms};
use events_core::{RelayOptions, Subscription, test_kit::wait_until};
use events_sqlx::{Outbox, UnitOfWork};
use sqlx::Sqlite;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LINES: i64 = 20;
/// How much the memory of the process may still grow once a broker hangs and a batch is stuck in it, in bytes; what is published
/// meanwhile is many times as large.
const GROWTH: usize = 16 * 1024 * 1024;

/// How many events are published, and for how long the broker is down, in seconds.
fn load() -> (i64, Duration) {
    let number = |name, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")));
    (number("BROKER_EVENTS", 2_000), Duration::from_secs(number("BROKER_OUTAGE", 2).unsigned_abs()))
}

async fn publish(outbox: &Outbox<Sqlite>, steps: std::ops::Range<i64>) {
    for step in steps {
        for line in 0..LINES {
            outbox.run(async |uow: &mut UnitOfWork<Sqlite>| uow.publish(Sent { line, step })).await.unwrap();
        }
    }
}

// Invariants 1, 7 and 10.
pub async fn events_of_an_outbox_arrive_although_the_broker_is_killed_amid_them<B: BrokerHarness>() {
    let (events, outage) = load();
    let steps = events / LINES;
    let broker = Arc::new(B::start().await);
    let scene = Scene::<OnSqlite>::new().await;
    let limits = RelayOptions { poll: Duration::from_millis(50), ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).transport(broker.transport().await).start().await.unwrap();

    publish(&outbox, 0..steps / 4).await;
    broker.kill();
    let killed = Instant::now();
    let restarting = tokio::task::spawn_blocking({
        let broker = Arc::clone(&broker);
        move || {
            std::thread::sleep(outage);
            broker.start_again();
        }
    });
    // The business goes on without its broker.
    publish(&outbox, steps / 4..steps / 2).await;
    wait_until("the outbox has noticed", async || outbox.stats().paused > 0).await;
    publish(&outbox, steps / 2..steps).await;
    restarting.await.unwrap();
    let delivered = async || outbox.waiting().await.unwrap() == 0 && outbox.in_flight() == 0;
    assert!(events_core::test_kit::wait_until_within(SOON * 3, delivered).await, "everything is delivered: {:?}", outbox.stats());
    eprintln!("everything was delivered {:?} after the broker was killed", killed.elapsed());
    let stats = outbox.stats();
    assert_eq!((stats.retried, stats.dead), (0, 0), "{stats:?}");
    assert!(stats.paused > 0 && stats.handed_back > 0, "{stats:?}");

    let mut subscription = broker.subscribe("audit", Terms::default()).await;
    let total = usize::try_from(LINES * steps).unwrap();
    let (mut times, mut seen) = (HashMap::new(), BTreeMap::<i64, Vec<i64>>::new());
    let mut received = 0;
    while times.len() < total {
        let next = tokio::time::timeout(SOON, subscription.next()).await;
        let next = next.unwrap_or_else(|_| panic!("only {} of {total} events arrived", times.len())).unwrap();
        received += 1;
        let known = times.entry(next.envelope().id).or_insert(0);
        *known += 1;
        if *known == 1 {
            let event: Sent = next.envelope().open().unwrap();
            seen.entry(event.line).or_default().push(event.step);
        }
        next.ack().await.unwrap();
    }
    eprintln!("{total} events, {} of them stored more than once; {stats:?}", received - total);
    for (line, seen) in seen {
        assert!(seen.iter().copied().eq(0..steps), "line {line} came as {seen:?}");
    }
    outbox.shutdown().await;
}

pub async fn a_broker_that_hangs_holds_up_no_other_target_and_fills_no_memory<B: BrokerHarness>() {
    const EVENTS: i64 = 4_000;
    /// After so many of them everything has its size that will have one.
    const FIRST: i64 = 1_500;
    /// How large each of them is, in bytes: it would be noticed if they stayed in memory.
    const WEIGHT: usize = 32 * 1024;
    let broker = B::start().await;
    let scene = Scene::<OnSqlite>::new().await;
    let limits = RelayOptions { hand_over_memory: 1024 * 1024, poll: Duration::from_millis(50), ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).transport(broker.transport().await).handler::<note>().start().await.unwrap();
    publish(&outbox, 0..5).await;
    Scene::<OnSqlite>::until_delivered(&outbox).await;

    broker.freeze();
    let weight = "x".repeat(WEIGHT);
    let (mut before, mut slowest) = (0, Duration::ZERO);
    for n in 0..EVENTS {
        if n == FIRST {
            before = resident();
        }
        let begun = Instant::now();
        let both = async |uow: &mut UnitOfWork<Sqlite>| {
            uow.publish(Noted { n })?;
            uow.publish(Heavy { n, weight: weight.clone() })
        };
        outbox.run(both).await.unwrap();
        slowest = slowest.max(begun.elapsed());
    }
    wait_until("the handler has heard of everything", async || scene.note.done.len() == EVENTS as usize).await;
    let grown = resident().saturating_sub(before);
    eprintln!("with a broker that hangs: the slowest commit took {slowest:?}, memory grew by {} KiB", grown / 1024);
    assert!(grown < GROWTH, "memory grew by {grown} bytes");
    // On a quick machine all that took less time than the transport waits for an answer.
    wait_until("the hanging broker is noticed", async || outbox.stats().paused > 0).await;

    broker.thaw();
    let delivered = async || outbox.waiting().await.unwrap() == 0 && outbox.in_flight() == 0;
    assert!(events_core::test_kit::wait_until_within(SOON * 2, delivered).await, "everything is delivered: {:?}", outbox.stats());
    let stats = outbox.stats();
    assert_eq!((stats.retried, stats.dead), (0, 0), "{stats:?}");
    assert!(stats.paused > 0, "{stats:?}");
    outbox.shutdown().await;
}

/// The memory of this process, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
