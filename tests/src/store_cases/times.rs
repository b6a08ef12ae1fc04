//! Invariant 6: all times are compared by one clock, the database's; here by one that stands far from that of the process.

use crate::events::{Noted, note};
use crate::{Harness, Scene};
use events_core::{Backoff, Clock, Outcome, Publication, RelayOptions, RetryPolicy, test_kit::Fault};
use events_sqlx::{Filter, Outbox, UnitOfWork, WaitingState};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(30);

/// Clocks far behind and far ahead of that of the machine: 2001 and 2096.
fn clocks() -> [Clock; 2] {
    [1_000_000_000_000, 4_000_000_000_000].map(Clock::manual)
}

/// What the only delivery waits for, and how long.
async fn wait_of<H: Harness>(outbox: &Outbox<H::Db>, clock: &Clock) -> (WaitingState, Duration) {
    let waiting = Scene::<H>::waiting(outbox).await.remove(0);
    let visible_at = waiting.visible_at.unwrap().unix_timestamp_nanos() / 1_000_000;
    let left = visible_at - i128::from(clock.now_override().unwrap());
    (waiting.state, Duration::from_millis(u64::try_from(left).unwrap()))
}

// Invariant 6.
pub async fn leases_delays_retries_and_deaths_follow_the_clock_of_the_database<H: Harness>() {
    for clock in clocks() {
        let scene = Scene::<H>::new().await;
        let retry = RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(MINUTE * 2));
        let outbox = scene.process().await.clock(clock.clone()).retry(retry).handler::<note>().start_idle().await.unwrap();

        let delayed = async |_: &mut UnitOfWork<H::Db>| Publication::of(Noted { n: 1 }).delay(MINUTE).publish();
        outbox.run(delayed).await.unwrap();
        assert_eq!(wait_of::<H>(&outbox, &clock).await, (WaitingState::Later, MINUTE));
        assert_eq!(outbox.relay().scan().await.unwrap(), 0);

        clock.advance(MINUTE);
        assert_eq!(wait_of::<H>(&outbox, &clock).await, (WaitingState::Due, Duration::ZERO));
        scene.note.gate.close();
        scene.note.faults.next(2, Fault::Retryable);
        assert_eq!(outbox.relay().scan().await.unwrap(), 1);
        assert_eq!(wait_of::<H>(&outbox, &clock).await, (WaitingState::Leased, LEASE));

        scene.note.gate.open();
        Scene::<H>::settle(&outbox).await;
        assert_eq!(wait_of::<H>(&outbox, &clock).await, (WaitingState::Later, MINUTE * 2));

        clock.advance(MINUTE * 2);
        Scene::<H>::drain(&outbox).await;
        let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
        assert_eq!(letter.died_at.unix_timestamp_nanos() / 1_000_000, i128::from(clock.now_override().unwrap()));

        outbox.dead_letters().redrive(&Filter::all()).await.unwrap();
        assert_eq!(wait_of::<H>(&outbox, &clock).await, (WaitingState::Due, Duration::ZERO));
    }
}

// Invariant 6.
pub async fn renewals_and_hand_backs_follow_the_clock_of_the_database<H: Harness>() {
    for clock in clocks() {
        let scene = Scene::<H>::new().await;
        let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
        let outbox = scene.process().await.clock(clock.clone()).relay(limits).handler::<note>().start_idle().await.unwrap();
        Scene::<H>::publish(&outbox, [1]).await;
        let delivery = Scene::<H>::lease(&outbox, "note", 1, LEASE).await.remove(0);
        clock.advance(LEASE / 2);
        assert_eq!(wait_of::<H>(&outbox, &clock).await, (WaitingState::Leased, LEASE / 2));
        assert!(outbox.store().renew(&[delivery.lease], LEASE).await.unwrap().is_empty());
        assert_eq!(wait_of::<H>(&outbox, &clock).await, (WaitingState::Leased, LEASE));
        let handed_back = Scene::<H>::settlement(&delivery, Outcome::HandBack { delay: MINUTE });
        outbox.store().settle(&[handed_back]).await.unwrap();
        assert_eq!(wait_of::<H>(&outbox, &clock).await, (WaitingState::Later, MINUTE));
    }
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
