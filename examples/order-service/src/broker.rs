//! A broker that misbehaves on purpose: a transport around the in-process one that refuses, goes away, or loses acknowledgements.

use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, MemoryTransport, Transport};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// What part of the failures is an outage of the whole broker.
const OUTAGES: f64 = 0.1;

/// How badly the broker behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failures {
    /// Share of the calls that fail.
    pub(crate) share: f64,
    /// Share of the events that arrive, but whose acknowledgement is lost.
    pub(crate) lost_acks: f64,
    pub(crate) seed: u64,
}

/// A broker of the kind everybody has.
pub(crate) struct UnreliableBroker {
    inner: MemoryTransport,
    failures: Failures,
    dice: Mutex<StdRng>,
    counts: Arc<Counts>,
}

/// What the broker did.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) outages: AtomicU64,
    pub(crate) lost_acks: AtomicU64,
}

impl UnreliableBroker {
    pub(crate) fn new(inner: MemoryTransport, failures: Failures) -> Self {
        Self { inner, failures, dice: Mutex::new(StdRng::seed_from_u64(failures.seed)), counts: Arc::default() }
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// A number between 0 and 1.
    fn throw(&self) -> f64 {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}

#[async_trait]
impl Transport for UnreliableBroker {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        self.counts.calls.fetch_add(1, Relaxed);
        let thrown = self.throw();
        if thrown < self.failures.share * OUTAGES {
            self.counts.outages.fetch_add(1, Relaxed);
            return batch.iter().map(|_| Err(DeliveryError::unavailable("the broker is restarting"))).collect();
        }
        if thrown < self.failures.share {
            self.counts.refused.fetch_add(batch.len() as u64, Relaxed);
            return batch.iter().map(|_| Err("the broker's queue is full".into())).collect();
        }
        let mut results = self.inner.send(batch).await;
        for result in &mut results {
            if result.is_ok() && self.throw() < self.failures.lost_acks {
                self.counts.lost_acks.fetch_add(1, Relaxed);
                *result = Err("the broker's acknowledgement was lost".into());
            }
        }
        results
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events_core::DeliveryErrorKind;

    #[tokio::test]
    async fn a_broker_that_always_fails_is_sometimes_away_and_never_accepts() {
        let failures = Failures { share: 1.0, lost_acks: 0.0, seed: 7 };
        let broker = UnreliableBroker::new(MemoryTransport::new("broker"), failures);
        let _subscription = broker.inner.subscribe(">");
        let ticket = crate::events::OrderShipped { order_id: 1, city: "Graz".into(), country: "Austria".into() };
        let event = Arc::new(Envelope::seal(&ticket, &Arc::from("/orders")).expect("JSON"));
        let mut outages = 0;
        for _ in 0..200 {
            let result = broker.send(&[Arc::clone(&event)]).await.remove(0);
            outages += u64::from(result.expect_err("a failure").kind() == DeliveryErrorKind::Unavailable);
        }
        assert!((1..100).contains(&outages));
        assert_eq!(broker.counts().outages.load(Relaxed), outages);
    }
}
