//! Failures on purpose: a share of the calls of handlers fails after all their work is done, so that all of it must be undone.

use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The dice of a service; a `State` of its handlers. Clones share them.
#[derive(Clone)]
pub struct Faults(Arc<Dice>);

struct Dice {
    share: f64,
    dice: Mutex<StdRng>,
    struck: AtomicU64,
}

/// A handler failed because it was to.
#[derive(Debug, thiserror::Error)]
#[error("a failure on purpose; this call is undone, and the event comes again")]
pub struct Struck;

impl Faults {
    /// Dice by which that share of the calls fails.
    #[must_use]
    pub fn new(share: f64, seed: u64) -> Self {
        Self(Arc::new(Dice { share, dice: Mutex::new(StdRng::seed_from_u64(seed)), struck: AtomicU64::default() }))
    }

    /// Fails, or not.
    ///
    /// # Errors
    /// This time it fails.
    pub fn strike(&self) -> Result<(), Struck> {
        if self.0.dice.lock().unwrap_or_else(PoisonError::into_inner).random_bool(self.0.share) {
            self.0.struck.fetch_add(1, Relaxed);
            return Err(Struck);
        }
        Ok(())
    }

    /// How often it failed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.struck.load(Relaxed)
    }
}
