//! When what this process has postponed is due, so that it comes again on time; others find it a little later.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The server counts whole milliseconds.
const TICK: Duration = Duration::from_millis(2);

#[derive(Default)]
pub(super) struct Alarm {
    due: Mutex<BinaryHeap<Reverse<Instant>>>,
    set: Notify,
}

impl Alarm {
    /// It rings after `delay`.
    pub(super) fn set(&self, delay: Duration) {
        if let Some(due) = Instant::now().checked_add(delay.saturating_add(TICK)) {
            self.due().push(Reverse(due));
            self.set.notify_one();
        }
    }

    /// When it rings next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due().peek().map(|due| due.0)
    }

    /// Forgets what has rung.
    pub(super) fn reset(&self) {
        let now = Instant::now();
        let mut due = self.due();
        while due.peek().is_some_and(|due| due.0 <= now) {
            due.pop();
        }
    }

    /// Waits until it is set anew.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn changed(&self) {
        self.set.notified().await;
    }

    fn due(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Instant>>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_rings_at_the_earliest_time_and_only_once() {
        let alarm = Alarm::default();
        assert!(alarm.next().is_none());
        alarm.set(Duration::from_secs(60));
        alarm.set(Duration::ZERO);
        alarm.changed().await;
        let first = alarm.next().unwrap();
        assert!(first <= Instant::now() + TICK);
        tokio::time::sleep_until(first).await;
        alarm.reset();
        assert!(alarm.next().unwrap() > first + Duration::from_secs(50));
    }
}
