//! What every broker must do. A new rule is written here first, and named in `broker_conformance!`.

// The names are the documentation.
#![allow(missing_docs)]

pub mod outages;
pub mod receiving;
pub mod relaying;
pub mod sending;

use bytes::Bytes;
use events_core::{DeliveryError, DeliveryErrorKind, Envelope, EventId, Headers, Received, Subscription, Transport};
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;

/// How long anything may take that should happen at once.
const SOON: Duration = Duration::from_secs(30);

/// An event of topic `test.counted`, whose payload is the number.
fn event(n: usize, key: Option<&str>) -> Arc<Envelope> {
    Arc::new(Envelope {
        id: EventId::now(),
        topic: "test.counted".into(),
        version: 1,
        key: key.map(str::to_owned),
        occurred_at: OffsetDateTime::now_utc(),
        source: "/tests".into(),
        content_type: "application/json".into(),
        headers: Headers::new(),
        payload: n.to_string().into(),
    })
}

/// `count` events without a key.
fn events(count: usize) -> Vec<Arc<Envelope>> {
    (0..count).map(|n| event(n, None)).collect()
}

fn number(envelope: &Envelope) -> usize {
    std::str::from_utf8(&envelope.payload).unwrap().parse().unwrap()
}

/// Sends a batch of which everything is taken.
async fn send(transport: &impl Transport, batch: &[Arc<Envelope>]) {
    let results = transport.send(batch).await;
    assert_eq!(results.len(), batch.len());
    for result in results {
        result.unwrap_or_else(|error| panic!("it is refused: {error}"));
    }
}

/// The next event.
async fn receive(subscription: &mut impl Subscription) -> Received {
    let next = tokio::time::timeout(SOON, subscription.next()).await;
    next.expect("an event within 30 s").expect("the subscription goes on")
}

/// Receives and acknowledges so many events.
async fn receive_all(subscription: &mut impl Subscription, count: usize) -> Vec<Arc<Envelope>> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let received = receive(subscription).await;
        all.push(Arc::clone(received.envelope()));
        received.ack().await.unwrap();
    }
    all
}

/// Sends one event after everything else and acknowledges until it comes: returns what came before, so nothing else is on its way.
async fn receive_up_to_a_last_one(transport: &impl Transport, subscription: &mut impl Subscription) -> Vec<Arc<Envelope>> {
    let last = event(usize::MAX, None);
    send(transport, std::slice::from_ref(&last)).await;
    let mut before = Vec::new();
    loop {
        let received = receive(subscription).await;
        let envelope = Arc::clone(received.envelope());
        received.ack().await.unwrap();
        if envelope.id == last.id {
            return before;
        }
        before.push(envelope);
    }
}

fn kind(result: &Result<(), DeliveryError>) -> Option<DeliveryErrorKind> {
    result.as_ref().err().map(DeliveryError::kind)
}

fn filled(bytes: usize) -> Bytes {
    vec![b'x'; bytes].into()
}
