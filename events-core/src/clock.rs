//! Whose time counts: the database's, or in tests a clock that tests move.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::Duration;

/// The clock by which leases and retries are compared.
///
/// The default is the database's own: all nodes agree on it, however wrong their clocks are. Tests may bring one that they move.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The database's clock.
    #[must_use]
    pub fn database() -> Self {
        Self(None)
    }

    /// A clock that stands still at `millis` after the Unix epoch until [`advance`](Self::advance) moves it.
    #[cfg(feature = "test-kit")]
    #[must_use]
    pub fn manual(millis: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(millis))))
    }

    /// Moves a manual clock; clones move along.
    ///
    /// # Panics
    /// On the database's clock, which nobody can move.
    #[cfg(feature = "test-kit")]
    pub fn advance(&self, by: Duration) {
        let millis = self.0.as_ref().expect("the database's clock cannot be moved; use `Clock::manual(..)`");
        millis.fetch_add(millis_of(by), Ordering::SeqCst);
    }

    /// What a statement should take for now, in milliseconds after the Unix epoch; `None` means the database's own time.
    #[must_use]
    pub fn now_override(&self) -> Option<i64> {
        self.0.as_ref().map(|millis| millis.load(Ordering::SeqCst))
    }
}

/// A duration in whole milliseconds, as statements take it.
#[must_use]
pub fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
