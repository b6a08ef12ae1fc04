//! A broker that confirms what it does not have: a transport around another one that loses events. No outbox can notice that; the message
//! table does, because the answer never comes.

use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, Transport};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The broker, and how much it loses.
pub(crate) struct LossyBroker {
    inner: Box<dyn Transport>,
    share: f64,
    dice: Mutex<StdRng>,
    lost: Arc<AtomicU64>,
}

impl LossyBroker {
    pub(crate) fn new(inner: impl Transport, share: f64, seed: u64) -> Self {
        Self { inner: Box::new(inner), share, dice: Mutex::new(StdRng::seed_from_u64(seed)), lost: Arc::default() }
    }

    /// How many events it has lost so far, and goes on to lose.
    pub(crate) fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }

    fn loses(&self) -> bool {
        let loses = self.dice.lock().unwrap_or_else(PoisonError::into_inner).random_bool(self.share);
        self.lost.fetch_add(u64::from(loses), Relaxed);
        loses
    }
}

#[async_trait]
impl Transport for LossyBroker {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn max_batch(&self) -> usize {
        self.inner.max_batch()
    }

    fn concurrency(&self) -> usize {
        self.inner.concurrency()
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let lost: Vec<bool> = batch.iter().map(|_| self.loses()).collect();
        let kept: Vec<_> = batch.iter().zip(&lost).filter(|(_, lost)| !**lost).map(|(envelope, _)| Arc::clone(envelope)).collect();
        let mut results = if kept.is_empty() { Vec::new() } else { self.inner.send(&kept).await }.into_iter();
        let missing = || Err("the broker gave no answer".into());
        lost.into_iter().map(|lost| if lost { Ok(()) } else { results.next().unwrap_or_else(missing) }).collect()
    }
}
