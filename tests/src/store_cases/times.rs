//! Invariant 6: all times are compared by one clock, the database's; here by one that stands far from that of the process.

use crate::events::{Noted, note};
use crate::{Harness, Scene};
use events_core::{Backoff, Publication, RetryPolicy, test_kit::Fault};
use events_sqlx::{Filter, UnitOfWork, WaitingState};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

// Invariant 6.
pub async fn leases_delays_retries_and_deaths_follow_the_clock_of_the_database<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let now = || i128::from(scene.clock.now_override().unwrap());
    let retry = RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(MINUTE * 2));
    let outbox = scene.timeless().await.retry(retry).handler::<note>().start_idle().await.unwrap();
    let visible_in = async || {
        let waiting = Scene::<H>::waiting(&outbox).await.remove(0);
        let visible_at = waiting.visible_at.unwrap().unix_timestamp_nanos() / 1_000_000;
        (waiting.state, Duration::from_millis(u64::try_from(visible_at - now()).unwrap()))
    };

    let delayed = async |_: &mut UnitOfWork<H::Db>| Publication::of(Noted { n: 1 }).delay(MINUTE).publish();
    outbox.run(delayed).await.unwrap();
    assert_eq!(visible_in().await, (WaitingState::Later, MINUTE));

    scene.clock.advance(MINUTE);
    assert_eq!(visible_in().await, (WaitingState::Due, Duration::ZERO));
    scene.note.gate.close();
    scene.note.faults.next(2, Fault::Retryable);
    assert_eq!(outbox.relay().scan().await.unwrap(), 1);
    assert_eq!(visible_in().await, (WaitingState::Leased, outbox.relay().options().lease));

    scene.note.gate.open();
    Scene::<H>::settle(&outbox).await;
    assert_eq!(visible_in().await, (WaitingState::Later, MINUTE * 2));

    scene.clock.advance(MINUTE * 2);
    Scene::<H>::drain(&outbox).await;
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!(letter.died_at.unix_timestamp_nanos() / 1_000_000, now());

    outbox.dead_letters().redrive(&Filter::all()).await.unwrap();
    assert_eq!(visible_in().await, (WaitingState::Due, Duration::ZERO));
}

// Invariant 6.
pub async fn without_a_clock_of_its_own_a_process_takes_the_database_s<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let outbox = scene.process().await.handler::<note>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, [1]).await;
    let visible_at = Scene::<H>::waiting(&outbox).await[0].visible_at.unwrap();
    // The database of a test runs on this machine, so both clocks agree.
    let in_future = visible_at - time::OffsetDateTime::now_utc();
    assert!((20..=30).contains(&in_future.whole_seconds()), "{in_future}");
}
