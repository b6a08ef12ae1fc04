//! Invariant 7: only the head of a key is deliverable; a poisoned head blocks only its key.

use crate::events::{Stepped, follow};
use crate::{Harness, Scene};
use events_core::test_kit::Fault;
use events_core::{Backoff, DeadReason, Outcome, Publication, RelayOptions, RetryPolicy};
use events_sqlx::{Filter, Outbox, UnitOfWork, WaitingState};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(30);

/// A process on a clock that stands still, whose events are all left to scanners.
pub(super) async fn without_memory<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    scene.timeless().await.relay(limits).handler::<follow>().start_idle().await.unwrap()
}

pub(super) fn steps(line: i64, steps: impl IntoIterator<Item = i64>) -> Vec<Stepped> {
    steps.into_iter().map(|step| Stepped { line, step }).collect()
}

/// Leases what can be leased, and opens it.
pub(super) async fn leasable<H: Harness>(outbox: &Outbox<H::Db>) -> Vec<Stepped> {
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
    let leased = "SELECT count(*) FROM outbox WHERE visible_at IS NULL AND lease_token IS NOT NULL";
    assert_eq!(scene.numbers(leased).await, [0], "who waits has no lease that could run out");
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

// Invariant 7: whatever a database thinks of case, accents and spaces, keys are compared byte by byte.
pub async fn keys_that_look_alike_are_different_keys<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    let keys = ["a", "A", "a ", " a", "á", "a\u{301}", "ａ", "", "%", "_", "'", "\\", "🦀", "ß", "ss", &"x".repeat(255)];
    for round in 1..=2 {
        for (line, key) in (1..).zip(keys) {
            let run = async |_: &mut UnitOfWork<H::Db>| Publication::of(Stepped { line, step: round }).key(key).publish();
            outbox.run(run).await.unwrap();
        }
    }
    let lines = i64::try_from(keys.len()).unwrap();
    let expected: Vec<Stepped> = (1..=lines).flat_map(|line| steps(line, [1])).collect();
    assert_eq!(leasable::<H>(&outbox).await, expected);
    assert_eq!(scene.count("outbox_key").await, lines);
    scene.clock.advance(LEASE);
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.len(), 2 * keys.len());
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
        let dead = Outcome::Dead { reason: DeadReason::Terminal, failures: Vec::new(), blocks_key: false };
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
pub async fn a_redriven_letter_goes_before_others_of_its_unit_of_work<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    let run = async |_: &mut UnitOfWork<H::Db>| steps(1, 1..=3).into_iter().try_for_each(|step| events_core::publish(step).map(drop));
    outbox.run(run).await.unwrap();
    let head = Scene::<H>::lease(&outbox, "follow", 9, LEASE).await.remove(0);
    let dead = Outcome::Dead { reason: DeadReason::Terminal, failures: Vec::new(), blocks_key: false };
    outbox.store().settle(&[Scene::<H>::settlement(&head, dead)]).await.unwrap();
    assert_eq!(leasable::<H>(&outbox).await, steps(1, [2]));
    scene.clock.advance(LEASE);
    outbox.dead_letters().redrive(&Filter::all()).await.unwrap();
    assert_eq!(leasable::<H>(&outbox).await, steps(1, [1]), "each has a place of its own");
}

// Invariant 7.
pub async fn a_key_is_forgotten_when_it_was_idle_for_long_and_a_redriven_letter_still_goes_first<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    Scene::<H>::step(&outbox, 2, 1..=1).await;
    scene.follow.faults.next(1, Fault::Terminal);
    Scene::<H>::drain(&outbox).await;
    scene.clock.advance(Duration::from_secs(600));
    outbox.maintain().await.unwrap();
    assert_eq!((outbox.dead_count().await.unwrap(), scene.count("outbox_key").await), (1, 2), "not one too early");
    Scene::<H>::step(&outbox, 3, 1..=1).await;
    scene.clock.advance(Duration::from_millis(1));
    outbox.maintain().await.unwrap();
    assert_eq!(scene.count("outbox_key").await, 1, "the key that something waits for stays");
    let lines = [1, 2];
    for line in lines {
        Scene::<H>::step(&outbox, line, 10..=12).await;
    }
    assert_eq!(outbox.dead_letters().redrive(&Filter::all()).await.unwrap(), 1);
    let before = scene.follow.done.len();
    Scene::<H>::drain(&outbox).await;
    let after = scene.follow.done.all().split_off(before);
    assert_eq!(after.len(), 8);
    for line in lines {
        let of_line: Vec<i64> = after.iter().filter(|event| event.line == line).map(|event| event.step).collect();
        assert!(of_line.is_sorted(), "line {line}, the redriven one first: {of_line:?}");
    }
}

// Invariant 7, with the policy that nothing may pass a dead letter.
pub async fn a_dead_letter_that_blocks_its_key_holds_back_what_is_behind_it_until_it_is_redriven<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = blocked(&scene).await;
    assert_eq!(outbox.dead_letters().redrive(&Filter::all()).await.unwrap(), 1);
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all()[1..], steps(1, 1..=4));
    goes_on(&scene, &outbox).await;
}

// Invariant 7, with the policy that nothing may pass a dead letter.
pub async fn what_a_dead_letter_blocked_goes_on_when_it_is_discarded<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = blocked(&scene).await;
    assert_eq!(outbox.dead_letters().discard(&Filter::all().key("1")).await.unwrap(), 1);
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all()[1..], steps(1, 2..=4));
    goes_on(&scene, &outbox).await;
}

/// Line 1 has a dead letter that blocks it, and three steps behind it; line 2 is done.
async fn blocked<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    let outbox = without_memory(scene).await;
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    let head = Scene::<H>::lease(&outbox, "follow", 9, LEASE).await.remove(0);
    let dead = Outcome::Dead { reason: DeadReason::Terminal, failures: Vec::new(), blocks_key: true };
    outbox.store().settle(&[Scene::<H>::settlement(&head, dead)]).await.unwrap();
    // What comes now waits too, and maintenance knows why.
    Scene::<H>::step(&outbox, 1, 4..=4).await;
    Scene::<H>::step(&outbox, 2, 1..=1).await;
    scene.clock.advance(Duration::from_secs(3_600));
    outbox.maintain().await.unwrap();
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), steps(2, [1]), "another key goes on");
    assert!(outbox.dead_letters().list(&Filter::all()).await.unwrap()[0].blocks_key);
    outbox
}

// Invariant 7, with the policy that nothing may pass a dead letter.
pub async fn a_letter_that_is_redriven_before_one_that_blocks_does_not_free_what_is_behind_it<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::step(&outbox, 1, 1..=3).await;
    for blocks_key in [false, true] {
        let head = Scene::<H>::lease(&outbox, "follow", 9, LEASE).await.remove(0);
        let dead = Outcome::Dead { reason: DeadReason::Terminal, failures: Vec::new(), blocks_key };
        outbox.store().settle(&[Scene::<H>::settlement(&head, dead)]).await.unwrap();
    }
    let letters = outbox.dead_letters();
    let first = letters.list(&Filter::all()).await.unwrap().into_iter().find(|letter| !letter.blocks_key).unwrap();
    letters.redrive(&Filter::id(first.id)).await.unwrap();
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), steps(1, [1]));
    letters.discard(&Filter::all()).await.unwrap();
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.follow.done.all(), steps(1, [1, 3]));
}

async fn goes_on<H: Harness>(scene: &Scene<H>, outbox: &Outbox<H::Db>) {
    Scene::<H>::step(outbox, 1, 5..=5).await;
    assert_eq!(leasable::<H>(outbox).await, steps(1, [5]), "a line that is free again does not wait");
    assert_eq!(scene.numbers("SELECT pending FROM outbox_key ORDER BY pending").await, [0, 1]);
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
