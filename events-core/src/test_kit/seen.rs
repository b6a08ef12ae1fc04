//! What handlers and subscribers have seen, to wait for.

use crate::test_kit::wait::wait_until_within;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A list that handlers append to (as their `State<Seen<T>>`) and tests wait on. Clones share it.
///
/// ```
/// # #[tokio::main] async fn main() {
/// use events_core::test_kit::Seen;
/// let seen: Seen<i64> = Seen::new();
/// seen.push(7);
/// assert_eq!(seen.wait_for(1, std::time::Duration::from_secs(5)).await, [7]);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + Debug> Seen<T> {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry.
    pub fn push(&self, entry: T) {
        self.entries().push(entry);
    }

    /// All entries so far.
    #[must_use]
    pub fn all(&self) -> Vec<T> {
        self.entries().clone()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Waits until there are at least `count` entries and returns all.
    ///
    /// # Panics
    /// If there are fewer at the deadline; the message lists them.
    #[track_caller]
    pub fn wait_for(&self, count: usize, deadline: Duration) -> impl Future<Output = Vec<T>> + use<'_, T> {
        let caller = std::panic::Location::caller();
        async move {
            if wait_until_within(deadline, async || self.len() >= count).await {
                return self.all();
            }
            let entries = self.all();
            panic!("{caller}: waited {deadline:?} for {count} entries, but there are {}: {entries:?}", entries.len());
        }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
