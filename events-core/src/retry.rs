//! When to try again. Pure: no clock, only durations, because the database's clock is what counts.

use crate::{Backoff, BuildError};
use rand::Rng;
use std::time::Duration;

/// How often a delivery is attempted and how long to wait in between.
///
/// ```
/// use events_core::{Backoff, RetryPolicy};
/// use std::time::Duration;
///
/// let policy = RetryPolicy::default().attempts(5).backoff(Backoff::Fixed(Duration::from_secs(30)));
/// assert_eq!(policy.delay_after(1), Some(Duration::from_secs(30)));
/// assert_eq!(policy.delay_after(5), None); // to the dead letters
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts: u32,
    backoff: Backoff,
    dead_letters: DeadLetterPolicy,
}

/// What a dead letter means for the deliveries that wait behind it for the same key and target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeadLetterPolicy {
    /// They go on without it: one bad event does not hold up the rest.
    #[default]
    Continue,
    /// They wait until somebody redrives or discards the dead letter: nothing overtakes it.
    BlockKey,
}

impl Default for RetryPolicy {
    /// 12 attempts with exponential backoff from 1 s to 10 min and full jitter: about half an hour in the mean.
    fn default() -> Self {
        Self {
            attempts: 12,
            backoff: Backoff::Exponential { first: Duration::from_secs(1), max: Duration::from_secs(600) },
            dead_letters: DeadLetterPolicy::Continue,
        }
    }
}

impl RetryPolicy {
    /// How many attempts there are in all, at least 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long to wait between attempts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// What a dead letter means for the deliveries that wait behind it for the same key. Default [`DeadLetterPolicy::Continue`].
    #[must_use]
    pub fn dead_letters(mut self, policy: DeadLetterPolicy) -> Self {
        self.dead_letters = policy;
        self
    }

    /// Whether a dead letter holds back what waits for its key.
    #[must_use]
    pub fn blocks_key(&self) -> bool {
        self.dead_letters == DeadLetterPolicy::BlockKey
    }

    pub(crate) fn most_attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn waits(&self) -> &Backoff {
        &self.backoff
    }

    /// How long to wait after `failed` failed attempts; `None` when they are exhausted.
    #[must_use]
    pub fn delay_after(&self, failed: u32) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let nth = failed.saturating_sub(1);
        Some(match &self.backoff {
            Backoff::Exponential { first, max } => full_jitter(exponential(*first, *max, nth)),
            Backoff::Fixed(delay) => *delay,
            Backoff::Schedule(delays) => {
                let index = usize::try_from(nth).unwrap_or(usize::MAX).min(delays.len().saturating_sub(1));
                delays.get(index).copied().unwrap_or_default()
            }
        })
    }

    pub(crate) fn check(&self) -> Result<(), BuildError> {
        if self.attempts == 0 {
            return Err(BuildError::InvalidOption {
                option: "the number of attempts",
                value: "0".into(),
                rule: "a delivery needs at least 1",
            });
        }
        Ok(())
    }
}

/// `first * 2^nth`, at most `max`.
fn exponential(first: Duration, max: Duration, nth: u32) -> Duration {
    first.saturating_mul(2u32.saturating_pow(nth)).min(max)
}

/// Anything up to `upper`. Of the jitters it spreads a herd best, and does the least work:
/// Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
fn full_jitter(upper: Duration) -> Duration {
    rand::rng().random_range(Duration::ZERO..=upper)
}

/// A pause around `mean`, so that processes that started together do not poll together.
pub(crate) fn around(mean: Duration) -> Duration {
    mean.mul_f64(rand::rng().random_range(0.75..=1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn exponential_doubles_up_to_the_maximum() {
        let steps: Vec<_> = (0..6).map(|n| exponential(SECOND, 10 * SECOND, n).as_secs()).collect();
        assert_eq!(steps, [1, 2, 4, 8, 10, 10]);
        assert_eq!(exponential(SECOND, 10 * SECOND, u32::MAX), 10 * SECOND);
    }

    #[test]
    fn jitter_never_exceeds_its_upper_bound_and_does_spread() {
        let policy = RetryPolicy::default().attempts(100).backoff(Backoff::Exponential { first: SECOND, max: 4 * SECOND });
        let delays: Vec<_> = (0..200).filter_map(|_| policy.delay_after(3)).collect();
        assert!(delays.iter().all(|delay| *delay <= 4 * SECOND));
        assert!(delays.iter().any(|delay| *delay > 2 * SECOND) && delays.iter().any(|delay| *delay < 2 * SECOND));
    }

    #[test]
    fn the_last_entry_of_a_schedule_repeats() {
        const SCHEDULE: &[Duration] = &[SECOND, Duration::from_secs(5)];
        let policy = RetryPolicy::default().attempts(5).backoff(Backoff::Schedule(SCHEDULE));
        let delays: Vec<_> = (1..=5).map(|failed| policy.delay_after(failed).map(|delay| delay.as_secs())).collect();
        assert_eq!(delays, [Some(1), Some(5), Some(5), Some(5), None]);
    }

    #[test]
    fn a_single_attempt_is_exhausted_by_its_first_failure() {
        assert_eq!(RetryPolicy::default().attempts(1).delay_after(1), None);
    }
}
