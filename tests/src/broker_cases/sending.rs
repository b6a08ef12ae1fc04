//! Invariant 10 at a real broker, and what becomes of an event on its way.

use super::{SOON, event, events, filled, kind, number, receive, receive_all, receive_up_to_a_last_one, send};
use crate::{BrokerHarness, Terms, broker_harness::WRONG_PASSWORD};
use bytes::Bytes;
use events_core::{DeliveryErrorKind, Envelope, EventId, Headers, Transport};
use std::collections::HashMap;
use std::{sync::Arc, time::Instant};
use time::{Duration, OffsetDateTime, UtcOffset};

pub async fn an_event_arrives_byte_for_byte<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    let base = Envelope {
        id: EventId::now(),
        topic: "test.sent".into(),
        version: u16::MAX,
        key: Some("Ключ/Grüße 7 % \"x\"\r\n\t".into()),
        occurred_at: (OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(1_700_000_000_123_456_789))
            .to_offset(UtcOffset::from_hms(2, 0, 0).unwrap()),
        source: "/Läden/1".into(),
        content_type: "application/octet-stream; charset=\"x\"".into(),
        headers: Headers::from([
            ("traceparent".into(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            ("tenant".into(), String::new()),
            ("Tenant".into(), " 租户 ".into()),
            ("Größe: XL".into(), "50 % off\r\nX: y".into()),
        ]),
        payload: (0..=u8::MAX).cycle().take(70_000).collect::<Vec<u8>>().into(),
    };
    let plain = Envelope { id: EventId::now(), key: None, headers: Headers::new(), payload: Bytes::new(), version: 1, ..base.clone() };
    let empty_key = Envelope { id: EventId::now(), key: Some(String::new()), ..base.clone() };
    for sent in [base, plain, empty_key] {
        send(&transport, &[Arc::new(sent.clone())]).await;
        let received = receive(&mut subscription).await;
        assert_eq!(**received.envelope(), sent);
        assert_eq!(received.envelope().occurred_at.offset(), sent.occurred_at.offset());
        received.ack().await.unwrap();
    }
}

pub async fn ten_thousand_events_of_one_batch_arrive<B: BrokerHarness>() {
    const EVENTS: usize = 10_000;
    let broker = B::start().await;
    let transport = broker.transport().await;
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    let begun = Instant::now();
    send(&transport, &events(EVENTS)).await;
    let sent = begun.elapsed();
    let mut numbers: Vec<usize> = receive_all(&mut subscription, EVENTS).await.iter().map(|envelope| number(envelope)).collect();
    let received = begun.elapsed() - sent;
    eprintln!("{EVENTS} events of one batch: confirmed within {sent:?}, received and acknowledged within {received:?}");
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..EVENTS));
}

pub async fn events_of_a_key_arrive_in_the_order_in_which_they_were_sent<B: BrokerHarness>() {
    const KEYS: usize = 20;
    const STEPS: usize = 50;
    let broker = B::start().await;
    let transport = broker.transport().await;
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    for step in 0..STEPS {
        let batch: Vec<_> = (0..KEYS).map(|key| event(step, Some(&key.to_string()))).collect();
        send(&transport, &batch).await;
    }
    let mut steps: HashMap<String, Vec<usize>> = HashMap::new();
    for envelope in receive_all(&mut subscription, KEYS * STEPS).await {
        steps.entry(envelope.key.clone().unwrap()).or_default().push(number(&envelope));
    }
    assert_eq!(steps.len(), KEYS);
    for (key, steps) in steps {
        assert!(steps.iter().copied().eq(0..STEPS), "the events of key {key} came as {steps:?}");
    }
}

pub async fn what_is_sent_twice_is_stored_once_where_the_broker_promises_it<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    let batch = events(10);
    // Both times it is a success: the outbox must be able to forget the event.
    send(&transport, &batch).await;
    send(&transport, &batch).await;
    let stored = receive_up_to_a_last_one(&transport, &mut subscription).await.len();
    assert_eq!(stored, if B::DROPS_DUPLICATES { 10 } else { 20 });
}

pub async fn an_event_that_is_too_large_is_terminal_and_the_rest_of_its_batch_is_sent<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.transport().await;
    let mut subscription = broker.subscribe("reader", Terms::default()).await;
    let mut batch = events(10);
    let mut large = (*batch[4]).clone();
    large.payload = filled(B::TOO_LARGE);
    batch[4] = Arc::new(large);
    let begun = Instant::now();
    let results = transport.send(&batch).await;
    assert!(begun.elapsed() < SOON);
    for (n, result) in results.iter().enumerate() {
        assert_eq!(kind(result), (n == 4).then_some(DeliveryErrorKind::Terminal), "{n}: {result:?}");
    }
    let said = results[4].as_ref().unwrap_err().report();
    assert!(said.contains("larger") && said.contains(&batch[4].id.to_string()) && said.contains("test.counted"), "{said}");
    let received = receive_up_to_a_last_one(&transport, &mut subscription).await;
    let mut numbers: Vec<usize> = received.iter().map(|envelope| number(envelope)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 5, 6, 7, 8, 9]);
}

pub async fn an_event_that_nothing_would_store_is_terminal_if_we_may_make_nothing<B: BrokerHarness>() {
    let broker = B::start().await;
    let transport = broker.unprepared().await;
    for result in transport.send(&events(3)).await {
        assert_eq!(kind(&result), Some(DeliveryErrorKind::Terminal), "{result:?}");
        let said = result.unwrap_err().report();
        assert!(said.contains("Topology::Create"), "it names the cure: {said}");
    }
}

pub async fn who_is_refused_is_told_so_without_the_password<B: BrokerHarness>() {
    let broker = B::start().await;
    let said = broker.refused().await;
    assert!(!said.contains(WRONG_PASSWORD), "{said}");
    assert!(said.contains("credentials") && said.contains("127.0.0.1"), "{said}");
}
