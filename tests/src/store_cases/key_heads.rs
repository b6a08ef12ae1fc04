//! Invariant 7: only the head of a key is deliverable; a poisoned head blocks only its key.

use crate::events::{Stepped, follow};
use crate::{Harness, Scene};
use events_core::test_kit::Fault;
use events_core::{Backoff, DeadReason, Outcome, RelayOptions, RetryPolicy};
use events_sqlx::{Filter, Outbox, WaitingState};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(30);

/// A process on a clock that stands still, whose events are all left to scanners.
async fn without_memory<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    scene.timeless().await.relay(limits).handler::<follow>().start_idle().await.unwrap()
}

fn steps(line: i64, steps: impl IntoIterator<Item = i64>) -> Vec<Stepped> {
    steps.into_iter().map(|step| Stepped { line, step }).collect()
}

/// Leases what can be leased, and opens it.
async fn leasable<H: Harness>(outbox: &Outbox<H::Db>) -> Vec<Stepped> {
    let mut heads: Vec<Stepped> =
        Scene::<H>::lease(outbox, "follow", 100, LEASE).await.iter().map(|delivery| delivery.envelope.open().unwrap()).collect();
    heads.sort_unstable_by_key(|event| (event.line, event.step));
    heads
}

// Invariant 7.
pub async fn only_the_head_of_a_key_can_be_leased<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    for line in 1..=3 {
        Scene::<H>::step(&outbox, line, 1..=3).await;
    }
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Key).await, 6);
    let heads = Scene::<H>::lease(&outbox, "follow", 100, LEASE).await;
    let mut opened: Vec<Stepped> = heads.iter().map(|head| head.envelope.open().unwrap()).collect();
    opened.sort_unstable_by_key(|event| event.line);
    assert_eq!(opened, [steps(1, [1]), steps(2, [1]), steps(3, [1])].concat());
    assert!(leasable::<H>(&outbox).await.is_empty(), "while the heads are leased, nothing else of their keys is");
    scene.clock.advance(LEASE);
    assert_eq!(leasable::<H>(&outbox).await, opened, "nor when their leases have run out");
    scene.clock.advance(LEASE);
    let heads = Scene::<H>::lease(&outbox, "follow", 2, LEASE).await;
    let delivered: Vec<_> = heads.iter().map(|head| Scene::<H>::settlement(head, Outcome::Delivered)).collect();
    assert_eq!(outbox.store().settle(&delivered).await.unwrap().freed, 2, "the next of two lines");
    assert_eq!(leasable::<H>(&outbox).await.iter().map(|event| event.step).sum::<i64>(), 1 + 2 + 2);
}

// Invariant 7.
pub async fn an_event_behind_its_key_is_not_handed_over_from_memory<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.follow.gate.close();
    let outbox = scene.timeless().await.handler::<follow>().start_idle().await.unwrap();
    let other = scene.timeless().await.handler::<follow>().start_idle().await.unwrap();
    Scene::<H>::step(&outbox, 1, 1..=2).await;
    // Nor when the earlier one is in the hands of another process.
    Scene::<H>::step(&other, 1, 3..=3).await;
    Scene::<H>::step(&other, 2, 1..=1).await;
    scene.follow.begun.wait_for(2, SOON).await;
    scene.follow.gate.open();
    Scene::<H>::settle(&outbox).await;
    Scene::<H>::settle(&other).await;
    let mut begun: Vec<Stepped> = scene.follow.begun.all().into_iter().map(|(event, _)| event).collect();
    begun.sort_unstable_by_key(|event| event.line);
    assert_eq!(begun, [steps(1, [1]), steps(2, [1])].concat());
    Scene::<H>::drain(&other).await;
    assert_eq!(scene.follow.done.all()[2..], steps(1, 2..=3));
    assert_eq!(outbox.in_flight(), 0);
}

// Invariant 7.
pub async fn a_poisoned_head_blocks_only_its_key_until_it_is_dead<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let retry = RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(Duration::from_secs(60)));
    let outbox = scene.timeless().await.retry(retry).handler::<follow>().start_idle().await.unwrap();
    scene.follow.faults.next(1, Fault::Retryable);
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    scene.follow.begun.wait_for(1, SOON).await;
    Scene::<H>::step(&outbox, 2, 1..=3).await;
    Scene::<H>::settle(&outbox).await;
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), steps(2, 1..=3), "the other key goes on");
    scene.follow.faults.next(1, Fault::Retryable);
    scene.clock.advance(Duration::from_secs(60));
    Scene::<H>::drain(&outbox).await;
    assert_eq!(outbox.dead_count().await.unwrap(), 1);
    assert_eq!(scene.follow.done.all()[3..], steps(1, 2..=3), "after its death the next ones go");
}

// Invariant 7.
pub async fn a_redriven_letter_goes_before_the_ones_that_wait<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::step(&outbox, 1, 1..=4).await;
    for _ in 0..2 {
        let head = Scene::<H>::lease(&outbox, "follow", 9, LEASE).await.remove(0);
        let dead = Outcome::Dead { reason: DeadReason::Terminal, failures: Vec::new() };
        outbox.store().settle(&[Scene::<H>::settlement(&head, dead)]).await.unwrap();
    }
    assert_eq!(outbox.dead_letters().redrive(&Filter::all()).await.unwrap(), 2);
    assert_eq!(leasable::<H>(&outbox).await, steps(1, [1]));
    scene.clock.advance(LEASE);
    Scene::<H>::step(&outbox, 1, 5..=5).await;
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), steps(1, 1..=5));
}

// Invariant 7.
pub async fn a_key_that_was_purged_counts_anew_and_a_dead_letter_keeps_its_key<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    Scene::<H>::step(&outbox, 2, 1..=1).await;
    scene.follow.faults.next(1, Fault::Terminal);
    Scene::<H>::drain(&outbox).await;
    assert_eq!((outbox.dead_count().await.unwrap(), scene.count("outbox_key").await), (1, 2));
    outbox.maintain().await.unwrap();
    let kept = scene.count("outbox_key").await;
    assert_eq!(kept, 1, "the key of the dead letter stays, the other goes");
    let lines = [1, 2];
    for line in lines {
        Scene::<H>::step(&outbox, line, 10..=12).await;
    }
    assert_eq!(outbox.dead_letters().redrive(&Filter::all()).await.unwrap(), 1);
    let before = scene.follow.done.len();
    Scene::<H>::drain(&outbox).await;
    let after = scene.follow.done.all().split_off(before);
    assert_eq!(after.len(), 7);
    for line in lines {
        let of_line: Vec<i64> = after.iter().filter(|event| event.line == line).map(|event| event.step).collect();
        assert!(of_line.is_sorted(), "line {line}, the redriven one first: {of_line:?}");
    }
}

// Invariant 7.
pub async fn what_waits_behind_a_row_that_somebody_deleted_is_freed_by_maintenance<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    Scene::<H>::step(&outbox, 2, 1..=2).await;
    scene.execute("DELETE FROM outbox WHERE visible_at IS NOT NULL").await;
    Scene::<H>::drain(&outbox).await;
    assert!(scene.follow.done.is_empty());
    outbox.maintain().await.unwrap();
    Scene::<H>::drain(&outbox).await;
    assert_eq!(outbox.waiting().await.unwrap(), 0);
    let of_line_1: Vec<Stepped> = scene.follow.done.all().into_iter().filter(|event| event.line == 1).collect();
    assert_eq!((of_line_1, scene.follow.done.len()), (steps(1, 2..=3), 3));
}
