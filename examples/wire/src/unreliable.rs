//! A broker that misbehaves on purpose: a transport around another one that refuses, goes away, or loses acknowledgements.

use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, Transport};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// What part of the failures is an outage of the whole broker.
const OUTAGES: f64 = 0.1;

/// How badly the broker behaves.
#[derive(Clone, Copy, Debug)]
pub struct Failures {
    /// Share of the calls that fail.
    pub share: f64,
    /// Share of the events that arrive, but whose acknowledgement is lost.
    pub lost_acks: f64,
    /// Repeats the failures of an earlier run.
    pub seed: u64,
}

/// A broker of the kind everybody has.
pub struct UnreliableBroker {
    inner: Box<dyn Transport>,
    failures: Failures,
    dice: Mutex<StdRng>,
    counts: Arc<Counts>,
}

/// What the broker did.
#[derive(Debug, Default)]
pub struct Counts {
    /// How often it was called.
    pub calls: AtomicU64,
    /// Events that it refused.
    pub refused: AtomicU64,
    /// Calls while it was away.
    pub outages: AtomicU64,
    /// Events that it took without its acknowledgement being heard.
    pub lost_acks: AtomicU64,
}

impl UnreliableBroker {
    /// Around `inner`.
    #[must_use]
    pub fn new(inner: Box<dyn Transport>, failures: Failures) -> Self {
        Self { inner, failures, dice: Mutex::new(StdRng::seed_from_u64(failures.seed)), counts: Arc::default() }
    }

    /// What it has done so far, and goes on to do.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// A number between 0 and 1.
    fn throw(&self) -> f64 {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}

#[async_trait]
impl Transport for UnreliableBroker {
    /// The same for all brokers: what waits for one of them may go to another after a restart.
    fn name(&self) -> &str {
        "broker"
    }

    fn max_batch(&self) -> usize {
        self.inner.max_batch()
    }

    fn concurrency(&self) -> usize {
        self.inner.concurrency()
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
    use events_core::{DeliveryErrorKind, MemoryTransport, domain_event};
    use serde::{Deserialize, Serialize};

    #[domain_event(topic = "test.told")]
    #[derive(Serialize, Deserialize)]
    struct Told {
        n: i64,
    }

    #[tokio::test]
    async fn a_broker_that_always_fails_is_sometimes_away_and_never_accepts() {
        let failures = Failures { share: 1.0, lost_acks: 0.0, seed: 7 };
        let inner = MemoryTransport::new("broker");
        let _subscription = inner.subscribe(">");
        let broker = UnreliableBroker::new(Box::new(inner), failures);
        let event = Arc::new(Envelope::seal(&Told { n: 1 }, &Arc::from("/orders")).expect("JSON"));
        let mut outages = 0;
        for _ in 0..200 {
            let result = broker.send(&[Arc::clone(&event)]).await.remove(0);
            outages += u64::from(result.expect_err("a failure").kind() == DeliveryErrorKind::Unavailable);
        }
        assert!((1..100).contains(&outages));
        assert_eq!(broker.counts().outages.load(Relaxed), outages);
    }
}
