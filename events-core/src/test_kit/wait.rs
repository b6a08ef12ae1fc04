//! Waiting with a deadline: polls, never hopes.

use std::panic::Location;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(2);

/// Polls `condition` until it holds or `deadline` has passed; returns whether it held.
pub async fn wait_until_within(deadline: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition().await {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Polls `condition` for at most 30 s.
///
/// # Panics
/// If it does not hold by then; the message says `what` was waited for.
#[track_caller]
pub fn wait_until<C: AsyncFnMut() -> bool>(what: &str, condition: C) -> impl Future<Output = ()> + use<'_, C> {
    let caller = Location::caller();
    async move {
        assert!(wait_until_within(Duration::from_secs(30), condition).await, "{caller}: waited 30 s in vain until {what}");
    }
}
