//! Invariant 11: retries follow the policy; what is given up goes to the dead letters with its history, to be redriven or discarded.

use crate::events::{Noted, Stepped, copy, follow, note};
use crate::{Harness, Role, Scene};
use events_core::test_kit::Fault;
use events_core::{Backoff, DeliveryError, Metadata, RetryPolicy, State, after_commit};
use events_sqlx::{Filter, WaitingState};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

// Invariant 11.
pub async fn a_retry_is_due_after_its_delay_and_not_before<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let retry = RetryPolicy::default().attempts(4).backoff(Backoff::Schedule(const { &[SECOND, Duration::from_secs(10)] }));
    let outbox = scene.timeless().await.retry(retry).handler::<note>().start_idle().await.unwrap();
    scene.note.faults.next(3, Fault::Retryable);
    Scene::<H>::publish(&outbox, [1]).await;
    Scene::<H>::settle(&outbox).await;
    for (failed, delay) in (1..).zip([SECOND, SECOND * 10, SECOND * 10]) {
        scene.clock.advance(delay - Duration::from_millis(1));
        assert_eq!(outbox.relay().scan().await.unwrap(), 0, "one millisecond too early");
        let waiting = Scene::<H>::waiting(&outbox).await.remove(0);
        assert_eq!((waiting.state, waiting.failed), (WaitingState::Later, failed));
        assert_eq!(waiting.failures.len(), failed as usize);
        scene.clock.advance(Duration::from_millis(1));
        assert_eq!(outbox.relay().scan().await.unwrap(), 1);
        Scene::<H>::settle(&outbox).await;
    }
    assert_eq!(scene.note.begun.all(), (1..=4).map(|attempt| (Noted { n: 1 }, attempt)).collect::<Vec<_>>());
    assert_eq!((outbox.waiting().await.unwrap(), outbox.dead_count().await.unwrap(), outbox.stats().retried), (0, 0, 3));
}

// Invariant 11.
pub async fn exhausted_attempts_leave_a_dead_letter_with_its_whole_history<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let retry = RetryPolicy::default().attempts(3).backoff(Backoff::Fixed(SECOND));
    let outbox = scene.timeless().await.retry(retry).handler::<note>().handler::<copy>().start_idle().await.unwrap();
    scene.note.faults.next(2, Fault::Retryable);
    scene.note.faults.next(1, Fault::Panic);
    Scene::<H>::publish(&outbox, [7]).await;
    for _ in 0..3 {
        Scene::<H>::settle(&outbox).await;
        scene.clock.advance(SECOND);
        Scene::<H>::drain(&outbox).await;
    }
    assert_eq!((outbox.waiting().await.unwrap(), outbox.stats().retried, outbox.stats().dead), (0, 2, 1));
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!((&*letter.target, &*letter.reason, letter.attempts), ("note", "exhausted", 3));
    assert_eq!(letter.envelope.unwrap().open::<Noted>().unwrap(), Noted { n: 7 });
    let history: Vec<(u32, &str)> = letter.failures.iter().map(|failure| (failure.attempt, &*failure.error)).collect();
    assert_eq!(history, [(1, "a fault on command"), (2, "a fault on command"), (3, "it panicked: a panic on command")]);
    assert_eq!(scene.copy.done.len(), 1);
}

/// Fails in every alphabet, at length, and with a NUL, which is no text to some databases.
#[after_commit(manual, name = "note")]
async fn grumble(_event: Noted) -> Result<(), DeliveryError> {
    Err(DeliveryError::from(format!("\0 ü 🦀 ' \" \\ {}", "x".repeat(1_000_000))))
}

// Invariant 11: whatever a handler says, its delivery can be settled.
pub async fn an_error_may_say_anything<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let retry = RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(SECOND));
    let outbox = scene.timeless().await.retry(retry).handler::<grumble>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, [1, 2]).await;
    Scene::<H>::settle(&outbox).await;
    let waiting = Scene::<H>::waiting(&outbox).await;
    assert_eq!(waiting.len(), 2);
    for waiting in waiting {
        let said = &waiting.failures[0].error;
        assert!(said.contains("ü 🦀 ' \" \\ xxx") && said.len() < 20_000, "{} bytes: {:.40}", said.len(), said);
    }
    scene.clock.advance(SECOND);
    Scene::<H>::drain(&outbox).await;
    assert_eq!((outbox.waiting().await.unwrap(), outbox.dead_count().await.unwrap()), (0, 2));
}

// Invariant 11.
pub async fn a_terminal_error_is_not_retried<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.timeless().await.handler::<note>().start_idle().await.unwrap();
    scene.note.faults.next(1, Fault::Terminal);
    Scene::<H>::publish(&outbox, [7]).await;
    Scene::<H>::settle(&outbox).await;
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!((&*letter.reason, letter.attempts, letter.failures.len()), ("terminal", 1, 1));
    assert_eq!(letter.failures[0].error, "a terminal fault on command");
}

/// Asks to be called back later, the first time.
#[after_commit(manual, backoff = "1s", timeout = "1s")]
async fn patient(event: Noted, meta: Metadata, State(role): State<Role<Noted>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await?;
    if meta.attempt == 1 { Err(DeliveryError::retry_after(SECOND * 50, "too many requests")) } else { Ok(()) }
}

// Invariant 11.
pub async fn a_handler_may_say_when_it_wants_to_be_called_again<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.timeless().await.handler::<patient>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, [1]).await;
    Scene::<H>::settle(&outbox).await;
    scene.clock.advance(SECOND * 50 - Duration::from_millis(1));
    assert_eq!(outbox.relay().scan().await.unwrap(), 0);
    scene.clock.advance(Duration::from_millis(1));
    Scene::<H>::drain(&outbox).await;
    assert_eq!((scene.note.begun.len(), outbox.waiting().await.unwrap()), (2, 0));
}

// Invariant 11.
pub async fn a_handler_that_exceeds_its_timeout_has_failed_an_attempt<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.timeless().await.handler::<patient>().start_idle().await.unwrap();
    scene.note.faults.next(1, Fault::Hang);
    Scene::<H>::publish(&outbox, [1]).await;
    Scene::<H>::settle(&outbox).await;
    let waiting = Scene::<H>::waiting(&outbox).await.remove(0);
    assert_eq!((waiting.state, waiting.failed), (WaitingState::Later, 1));
    assert_eq!(waiting.failures[0].error, "it did not finish within 1s; raise `timeout` if that is too short");
}

// Invariant 11.
pub async fn a_panic_is_a_failed_attempt<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    scene.note.faults.next(2, Fault::Panic);
    Scene::<H>::publish(&outbox, 0..4).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!((scene.note.done.len(), outbox.stats().handler_panics, outbox.stats().retried), (4, 2, 2));
}

// Invariant 11.
pub async fn dead_letters_are_listed_redriven_and_discarded_by_filter<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.timeless().await.handler::<note>().handler::<copy>().handler::<follow>().start_idle().await.unwrap();
    scene.note.faults.always(Fault::Terminal);
    scene.copy.faults.always(Fault::Terminal);
    scene.follow.faults.always(Fault::Terminal);
    Scene::<H>::publish(&outbox, 1..=3).await;
    for line in 1..=2 {
        Scene::<H>::step(&outbox, line, 1..=2).await;
    }
    for _ in 0..2 {
        Scene::<H>::settle(&outbox).await;
        Scene::<H>::drain(&outbox).await;
    }
    let dead = outbox.dead_letters();
    let count = async |filter: Filter| dead.list(&filter).await.unwrap().len();
    assert_eq!(outbox.dead_count().await.unwrap(), 10);
    assert_eq!(count(Filter::all()).await, 10);
    assert_eq!(count(Filter::all().limit(4)).await, 4);
    assert_eq!(count(Filter::all().target("note")).await, 3);
    assert_eq!(count(Filter::all().topic("test.noted")).await, 6);
    assert_eq!(count(Filter::all().key("2")).await, 2);
    assert_eq!(count(Filter::all().key("2").target("note")).await, 0);
    let one = dead.list(&Filter::all().target("copy")).await.unwrap()[1].id;
    assert_eq!(count(Filter::id(one)).await, 1);

    assert_eq!(dead.discard(&Filter::id(one)).await.unwrap(), 1);
    assert_eq!(dead.discard(&Filter::id(one)).await.unwrap(), 0);
    assert_eq!(dead.redrive(&Filter::all().target("note")).await.unwrap(), 3);
    assert_eq!(dead.redrive(&Filter::all().key("2")).await.unwrap(), 2);
    assert_eq!((outbox.dead_count().await.unwrap(), outbox.waiting().await.unwrap()), (4, 5));
    for faults in [&scene.note.faults, &scene.follow.faults] {
        faults.stop();
    }
    let redriven = Scene::<H>::waiting(&outbox).await;
    assert!(redriven.iter().all(|delivery| delivery.failed == 0 && delivery.failures.len() == 1), "fresh attempts, old history");
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), [1, 2].map(|step| Stepped { line: 2, step }));
    assert_eq!((scene.note.done.len(), scene.copy.done.len(), outbox.waiting().await.unwrap()), (3, 0, 0));
}
