//! What has become of an event, and how it is taken back before it is due.

use crate::events::{Noted, Stepped, copy, follow, note};
use crate::{Harness, Scene};
use events_core::test_kit::{Fault, wait_until};
use events_core::{Backoff, EventId, RelayOptions, RetryPolicy};
use events_sqlx::{DeliveryState, Outbox, Retention, UnitOfWork, WaitingState};
use std::time::Duration;
use time::OffsetDateTime;

const HOUR: Duration = Duration::from_secs(3_600);

/// The states of an event's deliveries, by target.
async fn states<H: Harness>(outbox: &Outbox<H::Db>, event: EventId) -> Vec<(String, DeliveryState)> {
    outbox.status(event).await.unwrap().into_iter().map(|it| (it.target, it.state)).collect()
}

fn is_waiting(state: &DeliveryState, wanted: WaitingState) -> bool {
    matches!(state, DeliveryState::Waiting { what, .. } if *what == wanted)
}

pub async fn the_status_of_an_event_follows_it_to_its_end<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let retry = RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(HOUR));
    let process = scene.timeless().await.relay(limits).retry(retry).retention(Retention::Archive(HOUR * 24));
    let outbox = process.handler::<note>().handler::<copy>().start_idle().await.unwrap();
    let event = outbox.run(async |uow| uow.publish(Noted { n: 1 })).await.unwrap();
    // Of another event nothing is told.
    outbox.run(async |uow| uow.publish(Noted { n: 2 })).await.unwrap();
    let begun = states::<H>(&outbox, event).await;
    assert_eq!(begun.iter().map(|(target, _)| &**target).collect::<Vec<_>>(), ["copy", "note"]);
    assert!(begun.iter().all(|(_, state)| is_waiting(state, WaitingState::Due)), "{begun:?}");

    scene.note.faults.next(4, Fault::Retryable);
    Scene::<H>::drain(&outbox).await;
    let now = scene.clock.now_override().unwrap();
    let at = |millis: i64| OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap();
    let halfway = outbox.status(event).await.unwrap();
    assert_eq!(halfway[0].state, DeliveryState::Delivered { at: at(now) });
    let later = at(now) + HOUR;
    assert_eq!(halfway[1].state, DeliveryState::Waiting { what: WaitingState::Later, until: Some(later) });
    assert_eq!(halfway[1].attempts, 1);

    scene.clock.advance(HOUR);
    Scene::<H>::drain(&outbox).await;
    let ended = outbox.status(event).await.unwrap();
    assert_eq!(ended[1].state, DeliveryState::Dead { reason: "exhausted".into(), at: later });
    assert_eq!((ended[1].attempts, ended[1].event), (2, event));
    assert!(ended[1].last_error.is_some());
    assert_eq!(outbox.status(EventId::now()).await.unwrap(), []);
}

pub async fn the_status_of_a_key_tells_of_its_events_in_their_order<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).handler::<follow>().start_idle().await.unwrap();
    scene.follow.faults.next(1, Fault::Terminal);
    Scene::<H>::step(&outbox, 7, 0..1).await;
    Scene::<H>::drain(&outbox).await;
    Scene::<H>::step(&outbox, 7, 1..3).await;
    Scene::<H>::step(&outbox, 8, 0..1).await;
    let status = outbox.status_of_key("7").await.unwrap();
    assert!(matches!(&status[0].state, DeliveryState::Dead { reason, .. } if reason == "terminal"), "{status:?}");
    assert!(is_waiting(&status[1].state, WaitingState::Due), "{status:?}");
    assert_eq!(status[2].state, DeliveryState::Waiting { what: WaitingState::Key, until: None });
    assert!(status.iter().all(|it| (&*it.topic, &*it.target) == ("test.stepped", "follow")), "{status:?}");
    assert_eq!((status.len(), outbox.status_of_key("9").await.unwrap().len()), (3, 0));
}

pub async fn an_event_is_taken_back_before_it_is_due_and_not_afterwards<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.timeless().await.handler::<note>().handler::<copy>().start_idle().await.unwrap();
    let publish = async |n| outbox.run(async |uow| uow.publish_in(HOUR, Noted { n })).await.unwrap();
    let (first, second) = (publish(1).await, publish(2).await);
    assert!(outbox.cancel(first).await.unwrap());
    assert!(!outbox.cancel(first).await.unwrap(), "it is gone");
    assert_eq!(outbox.status(first).await.unwrap(), []);
    scene.clock.advance(HOUR);
    assert!(!outbox.cancel(second).await.unwrap(), "it is due");
    Scene::<H>::drain(&outbox).await;
    assert_eq!((scene.note.done.all(), scene.copy.done.len()), (vec![Noted { n: 2 }], 1));
    let now = outbox.run(async |uow| uow.publish(Noted { n: 3 })).await.unwrap();
    assert!(!outbox.cancel(now).await.unwrap(), "it has no delay");
}

// Invariant 1.
pub async fn what_a_rolled_back_unit_of_work_cancelled_is_delivered<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.timeless().await.handler::<note>().start_idle().await.unwrap();
    let event = outbox.run(async |uow| uow.publish_in(HOUR, Noted { n: 1 })).await.unwrap();
    let regretted = async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        assert!(uow.cancel(event).await?);
        anyhow::bail!("on second thoughts")
    };
    outbox.run(regretted).await.unwrap_err();
    scene.clock.advance(HOUR);
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.note.done.len(), 1);
}

// Invariant 7.
pub async fn what_waits_behind_a_cancelled_event_of_its_key_goes_on<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<follow>().start().await.unwrap();
    let head = outbox.run(async |uow| uow.publish_in(HOUR, Stepped { line: 7, step: 0 })).await.unwrap();
    let middle = outbox.run(async |uow| uow.publish_in(HOUR, Stepped { line: 7, step: 1 })).await.unwrap();
    Scene::<H>::step(&outbox, 7, [2]).await;
    assert!(outbox.cancel(middle).await.unwrap());
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Key).await, 1);
    assert!(outbox.cancel(head).await.unwrap());
    wait_until("the third is delivered", async || scene.follow.done.len() == 1).await;
    assert_eq!(scene.follow.done.all(), [Stepped { line: 7, step: 2 }]);
    Scene::<H>::until_delivered(&outbox).await;
}

pub async fn an_event_for_a_moment_is_due_then<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start_idle().await.unwrap();
    let at = OffsetDateTime::now_utc() + HOUR;
    let publish = async |uow: &mut UnitOfWork<H::Db>| {
        uow.publish_at(OffsetDateTime::now_utc() - HOUR, Noted { n: 1 })?;
        uow.publish_at(at, Noted { n: 2 })
    };
    let event = outbox.run(publish).await.unwrap();
    Scene::<H>::settle(&outbox).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 1 }], "what has passed is no delay");
    let status = outbox.status(event).await.unwrap();
    let DeliveryState::Waiting { what: WaitingState::Later, until: Some(until) } = status[0].state else { panic!("{status:?}") };
    // The clocks of the machine and of its database are the same.
    assert!((until - at).abs() < time::Duration::seconds(10), "{until} instead of {at}");
}
