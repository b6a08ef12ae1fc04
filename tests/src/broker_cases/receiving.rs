//! Acknowledged, refused, forgotten, poisoned: nothing is lost, and nothing holds up the rest.

use super::{SOON, event, events, number, receive, receive_all, receive_up_to_a_last_one, send};
use crate::{BrokerHarness, Terms};
use bytes::Bytes;
use events_core::test_kit::wait_until;
use events_core::{EventId, Subscription};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much earlier than asked an event may come again: clocks of two processes, and their ticks.
const TOLERANCE: Duration = Duration::from_millis(50);

pub async fn a_refused_event_comes_again_after_its_delay<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let terms = Terms { delay: Duration::from_millis(700), ..Terms::default() };
    let mut subscription = broker.subscribe("reader", terms).await;
    send(&transport, &events(1)).await;
    let first = receive(&mut subscription).await;
    let id = first.envelope().id;
    first.nack("the desk is closed").await.unwrap();
    let refused = Instant::now();
    let second = receive(&mut subscription).await;
    assert_eq!(second.envelope().id, id);
    assert!(refused.elapsed() + TOLERANCE >= terms.delay, "it came again after {:?}", refused.elapsed());
    second.ack().await.unwrap();
    assert!(receive_up_to_a_last_one(&transport, &mut subscription).await.is_empty(), "acknowledged, it does not come again");
}

pub async fn a_dropped_event_is_a_refused_one<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    // The broker alone would wait longer than the case does.
    let terms = Terms { ack_wait: Duration::from_secs(120), ..Terms::default() };
    let mut subscription = broker.subscribe("reader", terms).await;
    send(&transport, &events(1)).await;
    let id = receive(&mut subscription).await.envelope().id;
    let again = receive(&mut subscription).await;
    assert_eq!(again.envelope().id, id);
    again.ack().await.unwrap();
}

pub async fn what_a_dead_subscriber_had_comes_again_to_another<B: BrokerHarness>() {
    let broker = Arc::new(B::start().await);
    let transport = broker.transport().await;
    let terms = Terms { ack_wait: Duration::from_secs(1), ..Terms::default() };
    let id = receive_and_die(&broker, &transport, terms).await;
    let mut alive = broker.subscribe("reader", terms).await;
    let received = receive_all(&mut alive, 5).await;
    assert!(received.iter().any(|envelope| envelope.id == id));
}

/// Sends five events to a subscriber that dies with the first of them: as when its process is killed, its tasks and connections end in the
/// middle of whatever they do, without an answer and without a goodbye.
async fn receive_and_die<B: BrokerHarness>(broker: &Arc<B>, transport: &B::Transport, terms: Terms) -> EventId {
    let (subscribed, subscription) = tokio::sync::oneshot::channel();
    let life = std::thread::spawn({
        let broker = Arc::clone(broker);
        move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let id = runtime.block_on(async {
                let mut dead = broker.subscribe("reader", terms).await;
                subscribed.send(()).unwrap();
                let had = receive(&mut dead).await;
                let id = had.envelope().id;
                // Dropped, they would say goodbye.
                std::mem::forget(had);
                std::mem::forget(dead);
                id
            });
            if B::OUTLIVES_ITS_SUBSCRIBERS {
                std::mem::forget(runtime);
            } else {
                runtime.shutdown_background();
            }
            id
        }
    });
    subscription.await.unwrap();
    send(transport, &events(5)).await;
    tokio::task::spawn_blocking(|| life.join().unwrap()).await.unwrap()
}

pub async fn what_a_stopped_subscriber_had_not_handed_out_goes_to_another_at_once<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let terms = Terms { ack_wait: Duration::from_secs(120), ..Terms::default() };
    let mut first = broker.subscribe("reader", terms).await;
    send(&transport, &events(20)).await;
    let handed_out = receive(&mut first).await;
    drop(first);
    handed_out.ack().await.unwrap();
    let mut second = broker.subscribe("reader", terms).await;
    let begun = Instant::now();
    receive_all(&mut second, 19).await;
    assert!(begun.elapsed() < SOON);
}

pub async fn an_event_that_is_refused_too_often_becomes_a_dead_letter<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let terms = Terms { attempts: 3, delay: Duration::from_millis(20), ..Terms::default() };
    let mut subscription = broker.subscribe("reader", terms).await;
    let poison = event(7, Some("k"));
    send(&transport, std::slice::from_ref(&poison)).await;
    for attempt in 1..=3 {
        let received = receive(&mut subscription).await;
        assert_eq!(received.envelope().id, poison.id);
        received.nack(format!("no desk takes it, attempt {attempt}")).await.unwrap();
    }
    assert!(receive_up_to_a_last_one(&transport, &mut subscription).await.is_empty());
    let letters = broker.dead_letters("reader").await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].payload, poison.payload);
    assert!(letters[0].reason.contains("no desk takes it, attempt 3"), "{letters:?}");
}

pub async fn an_event_that_is_buried_becomes_a_dead_letter_at_once<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    let poison = event(7, None);
    send(&transport, std::slice::from_ref(&poison)).await;
    let received = receive(&mut subscription).await;
    assert_eq!(received.deliveries(), 1);
    received.bury("nobody will ever take it").await.unwrap();
    assert!(receive_up_to_a_last_one(&transport, &mut subscription).await.is_empty());
    let letters = broker.dead_letters("reader").await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].payload, poison.payload);
    assert!(letters[0].reason.contains("nobody will ever take it"), "{letters:?}");
}

pub async fn what_is_no_event_becomes_a_dead_letter_and_holds_up_nobody<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    send(&transport, &[event(1, None)]).await;
    broker.send_garbage(Bytes::from_static(b"\x00no event\xff")).await;
    send(&transport, &[event(2, None)]).await;
    let numbers: Vec<usize> = receive_all(&mut subscription, 2).await.iter().map(|envelope| number(envelope)).collect();
    assert_eq!(numbers, [1, 2]);
    wait_until("there is a dead letter", async || !broker.dead_letters("reader").await.is_empty()).await;
    let letters = broker.dead_letters("reader").await;
    assert_eq!((letters.len(), &letters[0].payload[..]), (1, &b"\x00no event\xff"[..]));
    assert!(letters[0].reason.contains("no event") && letters[0].reason.contains("specversion"), "{letters:?}");
}

pub async fn waiting_for_an_event_can_be_cancelled<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    let sending = tokio::spawn(async move {
        for n in 0..200 {
            // Now and then there is nothing, for longer than somebody waits, however quick broker and machine are.
            if n % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            send(&transport, &[event(n, None)]).await;
        }
    });
    let mut numbers = Vec::new();
    let (deadline, mut cancelled) = (Instant::now() + SOON, 0);
    while numbers.len() < 200 {
        assert!(Instant::now() < deadline, "only {} of 200 events within 30 s", numbers.len());
        match tokio::time::timeout(Duration::from_micros(300), subscription.next()).await {
            Ok(received) => {
                let received = received.unwrap();
                numbers.push(number(received.envelope()));
                received.ack().await.unwrap();
            }
            Err(_) => cancelled += 1,
        }
    }
    sending.await.unwrap();
    assert!(cancelled > 0);
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..200), "each once");
}
