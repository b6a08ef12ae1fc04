//! The broker is killed and comes back.

use super::{SOON, event, events, kind, number, receive_all, send};
use crate::{BrokerHarness, Terms};
use events_core::test_kit::{wait_until, wait_until_within};
use events_core::{DeliveryErrorKind, Subscription, Transport};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub async fn a_broker_that_is_down_is_unavailable_and_is_found_again_by_the_same_transport<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let before = events(3);
    send(&transport, &before).await;
    broker.kill();
    for _ in 0..3 {
        let begun = Instant::now();
        for result in transport.send(&events(10)).await {
            assert_eq!(kind(&result), Some(DeliveryErrorKind::Unavailable), "{result:?}");
            assert!(result.unwrap_err().report().contains("127.0.0.1"));
        }
        assert!(begun.elapsed() < SOON, "it took {:?} to notice", begun.elapsed());
    }
    broker.start_again();
    let back = [event(1_000, None)];
    let begun = Instant::now();
    let found = wait_until_within(SOON, async || {
        let result = transport.send(&back).await.remove(0);
        assert!(matches!(kind(&result), None | Some(DeliveryErrorKind::Unavailable)), "{result:?}");
        result.is_ok()
    })
    .await;
    assert!(found, "the transport finds its broker again");
    eprintln!("found again after {:?}", begun.elapsed());
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    // What was unavailable may have been on its way, and come too.
    let mut missing: HashSet<_> = before.iter().chain(&back).map(|event| event.id).collect();
    while !missing.is_empty() {
        missing.remove(&receive_all(&mut subscription, 1).await[0].id);
    }
}

pub async fn a_broker_that_dies_amid_a_batch_loses_nothing_that_it_confirmed<B: BrokerHarness>() {
    let broker = Arc::new(B::start().await);
    let transport = Arc::new(broker.transport().await);
    let mut watching = broker.subscribe("watcher", Terms::default()).await;
    // Connections are made, code is loaded, and the watcher is in its place: there may be little time to see that the batch has begun.
    send(&*transport, &events(10)).await;
    receive_all(&mut watching, 10).await;
    broker.until_it_can_be_killed();
    let batch = events(B::BATCH);
    let sending = tokio::spawn({
        let (transport, batch) = (Arc::clone(&transport), batch.clone());
        async move { transport.send(&batch).await }
    });
    // Amid the batch: some of it was stored.
    receive_all(&mut watching, B::BATCH / 100).await;
    broker.kill();
    let killed = Instant::now();
    let results = sending.await.unwrap();
    assert!(killed.elapsed() < Duration::from_secs(5), "it took {:?} to notice that nothing will be confirmed", killed.elapsed());
    let confirmed: HashSet<_> = results.iter().zip(&batch).filter(|(result, _)| result.is_ok()).map(|(_, event)| event.id).collect();
    for result in &results {
        assert!(matches!(kind(result), None | Some(DeliveryErrorKind::Unavailable)), "{result:?}");
    }
    eprintln!("{} of {} events were confirmed before the broker died", confirmed.len(), B::BATCH);
    assert!((1..B::BATCH).contains(&confirmed.len()), "it died amid the batch");
    broker.start_again();
    let mut subscription = None;
    wait_until("the broker is back", async || {
        if transport.send(&[event(0, None)]).await[0].is_ok() {
            subscription = Some(broker.subscribe("reader", Terms::default()).await);
        }
        subscription.is_some()
    })
    .await;
    let mut subscription = subscription.unwrap();
    let (mut missing, deadline) = (confirmed, Instant::now() + SOON);
    while !missing.is_empty() {
        let received = tokio::time::timeout_at(deadline.into(), subscription.next()).await;
        let Ok(Some(received)) = received else { panic!("{} confirmed events are lost", missing.len()) };
        missing.remove(&received.envelope().id);
        received.ack().await.unwrap();
    }
}

pub async fn a_subscription_goes_on_after_its_broker_was_restarted<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let terms = Terms { ack_wait: Duration::from_secs(2), ..Terms::default() };
    let mut subscription = broker.subscribe("reader", terms).await;
    send(&transport, &events(10)).await;
    // Without a key they have no order.
    let mut missing: HashSet<usize> = (0..10).chain([100]).collect();
    for envelope in receive_all(&mut subscription, 5).await {
        missing.remove(&number(&envelope));
    }
    broker.kill();
    let nothing = tokio::time::timeout(Duration::from_millis(200), async {
        // What was prefetched may still come; it cannot be acknowledged, and comes again.
        while let Some(received) = subscription.next().await {
            drop(received);
        }
    });
    assert!(nothing.await.is_err(), "a subscription does not end");
    broker.start_again();
    wait_until("the broker is back", async || transport.send(&[event(100, None)]).await[0].is_ok()).await;
    // RocketMQ tells its name servers every 30 s what it has.
    let deadline = Instant::now() + SOON * 2;
    while !missing.is_empty() {
        let received = tokio::time::timeout_at(deadline.into(), subscription.next()).await;
        let Ok(Some(received)) = received else { panic!("{missing:?} did not come again") };
        missing.remove(&number(received.envelope()));
        // The connection may be lost once more while the client finds out.
        let _ = received.ack().await;
    }
}

pub async fn a_broker_that_hangs_is_unavailable_and_goes_on_afterwards<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    send(&transport, &events(3)).await;
    broker.freeze();
    let begun = Instant::now();
    for result in transport.send(&events(500)).await {
        assert_eq!(kind(&result), Some(DeliveryErrorKind::Unavailable), "{result:?}");
        assert!(result.unwrap_err().report().contains("127.0.0.1"));
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?} to give up", begun.elapsed());
    broker.thaw();
    let begun = Instant::now();
    let found = wait_until_within(SOON, async || {
        let result = transport.send(&[event(1_000, None)]).await.remove(0);
        assert!(matches!(kind(&result), None | Some(DeliveryErrorKind::Unavailable)), "{result:?}");
        result.is_ok()
    })
    .await;
    assert!(found, "the transport goes on with its broker");
    eprintln!("it goes on after {:?}", begun.elapsed());
}
