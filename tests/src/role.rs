//! What a handler of the suite does: it waits at its gate, fails by script or by chance, and remembers.

use crate::Gate;
use events_core::{
    DeliveryError,
    test_kit::{Faults, Seen},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

/// The part that the handlers of one kind of event play; their `State`. Clones are one part.
#[derive(Clone, Debug)]
pub struct Role<E> {
    /// Every attempt that began, with its number.
    pub begun: Seen<(E, u32)>,
    /// Where handlers wait before they do anything else.
    pub gate: Gate,
    /// How they fail.
    pub faults: Faults,
    /// Every attempt that succeeded.
    pub done: Seen<E>,
    chance: Arc<Mutex<Option<(StdRng, f64)>>>,
}

impl<E> Default for Role<E> {
    fn default() -> Self {
        Self { begun: Seen::default(), gate: Gate::default(), faults: Faults::none(), done: Seen::default(), chance: Arc::default() }
    }
}

impl<E: Clone + Debug> Role<E> {
    /// Makes a `share` of the attempts fail, always the same ones for the same `seed`.
    pub fn fail_by_chance(&self, share: f64, seed: u64) {
        *self.chance.lock().unwrap_or_else(PoisonError::into_inner) = Some((StdRng::seed_from_u64(seed), share));
    }

    /// One attempt.
    ///
    /// # Errors
    /// Those of the script, or by chance.
    pub async fn play(&self, event: E, attempt: u32) -> Result<(), DeliveryError> {
        self.begun.push((event.clone(), attempt));
        self.gate.pass().await;
        self.faults.strike().await?;
        if self.is_unlucky() {
            return Err("bad luck".into());
        }
        self.done.push(event);
        Ok(())
    }

    fn is_unlucky(&self) -> bool {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.as_mut().is_some_and(|(dice, share)| dice.random_bool(*share))
    }
}
