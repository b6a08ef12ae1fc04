//! From a unit of work through the outbox to a stream whose server is killed meanwhile.

use super::builder;
use events_core::{RelayOptions, Subscription, test_kit::wait_until};
use events_sqlx::{Outbox, UnitOfWork};
use events_tests::events::Sent;
use events_tests::servers::NatsServer;
use events_tests::{OnSqlite, Scene};
use sqlx::Sqlite;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LINES: i64 = 20;
const STEPS: i64 = 100;
/// For how long the server is down.
const OUTAGE: Duration = Duration::from_secs(2);

async fn publish(outbox: &Outbox<Sqlite>, steps: std::ops::Range<i64>) {
    for step in steps {
        for line in 0..LINES {
            outbox.run(async |uow: &mut UnitOfWork<Sqlite>| uow.publish(Sent { line, step })).await.unwrap();
        }
    }
}

// Invariants 1, 7 and 10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_events_arrive_although_the_server_is_killed_amid_them() {
    let server = Arc::new(NatsServer::start());
    let scene = Scene::<OnSqlite>::new().await;
    let limits = RelayOptions { poll: Duration::from_millis(50), ..RelayOptions::default() };
    let nats = builder(&server).connect().await.unwrap();
    let outbox = scene.process().await.relay(limits).transport(nats.clone()).start().await.unwrap();

    publish(&outbox, 0..STEPS / 4).await;
    server.kill();
    let killed = Instant::now();
    let restarting = tokio::spawn({
        let server = Arc::clone(&server);
        async move {
            tokio::time::sleep(OUTAGE).await;
            server.start_again();
        }
    });
    // The business goes on without its broker.
    publish(&outbox, STEPS / 4..STEPS / 2).await;
    wait_until("the outbox has noticed", async || outbox.stats().paused > 0).await;
    publish(&outbox, STEPS / 2..STEPS).await;
    restarting.await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    eprintln!("everything was delivered {:?} after the server was killed", killed.elapsed());
    let stats = outbox.stats();
    assert_eq!((stats.retried, stats.dead), (0, 0), "{stats:?}");
    assert!(stats.paused > 0 && stats.handed_back > 0, "{stats:?}");

    let mut subscription = nats.subscribe("audit").open().await.unwrap();
    let total = (LINES * STEPS) as usize;
    let (mut times, mut steps) = (HashMap::new(), BTreeMap::<i64, Vec<i64>>::new());
    let mut received = 0;
    while times.len() < total {
        let next = tokio::time::timeout(Duration::from_secs(30), subscription.next()).await;
        let next = next.unwrap_or_else(|_| panic!("only {} of {total} events arrived", times.len())).unwrap();
        received += 1;
        let known = times.entry(next.envelope().id).or_insert(0);
        *known += 1;
        if *known == 1 {
            let event: Sent = next.envelope().open().unwrap();
            steps.entry(event.line).or_default().push(event.step);
        }
        next.ack().await.unwrap();
    }
    eprintln!("{total} events, {} of them stored more than once; {stats:?}", received - total);
    for (line, steps) in steps {
        assert!(steps.iter().copied().eq(0..STEPS), "line {line} came as {steps:?}");
    }
    outbox.shutdown().await;
}
