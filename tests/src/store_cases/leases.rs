//! Invariants 4 and 5: a claim is one atomic statement with a fresh token; leases are short, renewed, and fenced.

use crate::events::{Noted, note};
use crate::{Harness, Scene};
use events_core::{DeadReason, Delivery, Lease, LeaseToken, Outcome, RelayOptions, test_kit::wait_until};
use events_sqlx::{Filter, Outbox, WaitingState};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);

/// A process on a clock that stands still, whose events are all left to scanners.
async fn without_memory<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    scene.timeless().await.relay(limits).handler::<note>().start_idle().await.unwrap()
}

fn ids(deliveries: &[Delivery]) -> HashSet<String> {
    deliveries.iter().map(|delivery| delivery.lease.id.to_string()).collect()
}

fn outcomes() -> [Outcome; 4] {
    let delay = Duration::from_secs(7);
    [
        Outcome::Delivered,
        Outcome::Retry { delay, failures: Vec::new() },
        Outcome::HandBack { delay },
        Outcome::Dead { reason: DeadReason::Terminal, failures: Vec::new(), blocks_key: false },
    ]
}

// Invariant 4.
pub async fn a_leased_delivery_is_not_leased_again_before_its_lease_has_run_out<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::publish(&outbox, 0..5).await;
    let first = Scene::<H>::lease(&outbox, "note", 3, LEASE).await;
    let second = Scene::<H>::lease(&outbox, "note", 10, LEASE).await;
    assert_eq!((first.len(), second.len()), (3, 2), "the limit holds, and the rest is still there");
    assert!(ids(&first).is_disjoint(&ids(&second)));
    assert!(Scene::<H>::lease(&outbox, "note", 10, LEASE).await.is_empty());
    assert!(Scene::<H>::lease(&outbox, "somebody else", 10, LEASE).await.is_empty());
    scene.clock.advance(LEASE);
    let again = Scene::<H>::lease(&outbox, "note", 10, LEASE).await;
    assert_eq!(again.len(), 5);
    let tokens: HashSet<_> = first.iter().chain(&second).chain(&again).map(|delivery| delivery.lease.token).collect();
    assert_eq!(tokens.len(), 3, "each claim has a token of its own");
    assert!(again.iter().all(|delivery| (delivery.failed, delivery.abandoned) == (0, 1)));
}

// Invariant 4.
pub async fn a_stale_settlement_changes_nothing_and_is_reported_lost<H: Harness>() {
    for outcome in outcomes() {
        let scene = Scene::<H>::new().await;
        let outbox = without_memory(&scene).await;
        Scene::<H>::publish(&outbox, [1]).await;
        let stale = Scene::<H>::lease(&outbox, "note", 1, LEASE).await.remove(0);
        scene.clock.advance(LEASE);
        let fresh = Scene::<H>::lease(&outbox, "note", 1, LEASE).await.remove(0);
        assert_eq!(stale.lease.id, fresh.lease.id);

        let report = outbox.store().settle(&[Scene::<H>::settlement(&stale, outcome.clone())]).await.unwrap();
        assert_eq!((report.lost, report.freed), (vec![stale.lease.id], 0), "{outcome:?}");
        assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Leased).await, 1, "{outcome:?}");
        assert_eq!(outbox.dead_count().await.unwrap(), 0, "{outcome:?}");

        let report = outbox.store().settle(&[Scene::<H>::settlement(&fresh, outcome.clone())]).await.unwrap();
        assert!(report.lost.is_empty(), "the lease of today settles: {outcome:?}");
        let (waiting, dead) = (outbox.waiting().await.unwrap(), outbox.dead_count().await.unwrap());
        match outcome {
            Outcome::Delivered => assert_eq!((waiting, dead), (0, 0)),
            Outcome::Dead { .. } => assert_eq!((waiting, dead), (0, 1)),
            _ => assert_eq!((Scene::<H>::in_state(&outbox, WaitingState::Later).await, dead), (1, 0)),
        }
        // Whatever became of it, its lease is spent.
        let report = outbox.store().settle(&[Scene::<H>::settlement(&fresh, Outcome::Delivered)]).await.unwrap();
        assert_eq!(report.lost, [fresh.lease.id]);
    }
}

// Invariant 4.
pub async fn the_rest_of_a_batch_with_lost_leases_is_settled<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::publish(&outbox, 0..8).await;
    let mut batch = Scene::<H>::lease(&outbox, "note", 8, LEASE).await;
    for index in [1, 3, 5, 7] {
        batch[index].lease.token = LeaseToken::fresh();
    }
    let outcomes: Vec<Outcome> = outcomes().into_iter().flat_map(|outcome| [outcome.clone(), outcome]).collect();
    let settlements: Vec<_> = batch.iter().zip(outcomes).map(|(delivery, outcome)| Scene::<H>::settlement(delivery, outcome)).collect();
    let report = outbox.store().settle(&settlements).await.unwrap();
    let lost: HashSet<_> = report.lost.into_iter().collect();
    assert_eq!(lost, [1, 3, 5, 7].map(|index| batch[index].lease.id).into());
    // One of each outcome was settled: delivered, retry, handed back, dead.
    assert_eq!((outbox.waiting().await.unwrap(), outbox.dead_count().await.unwrap()), (6, 1));
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Later).await, 2);
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Leased).await, 4);
}

// Invariant 4.
pub async fn a_lost_lease_is_counted_and_is_no_error<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let slow = scene.timeless().await.handler::<note>().start_idle().await.unwrap();
    let other = scene.timeless().await.handler::<note>().start_idle().await.unwrap();
    Scene::<H>::publish(&slow, [1]).await;
    scene.note.begun.wait_for(1, LEASE).await;
    scene.clock.advance(LEASE);
    let taken = Scene::<H>::lease(&other, "note", 1, LEASE).await.remove(0);
    scene.note.gate.open();
    Scene::<H>::settle(&slow).await;
    assert_eq!((slow.stats().lease_lost, slow.stats().delivered_from_memory, slow.stats().store_errors), (1, 0, 0));
    assert_eq!(Scene::<H>::in_state(&other, WaitingState::Leased).await, 1, "it is the other's now");
    let report = other.store().settle(&[Scene::<H>::settlement(&taken, Outcome::Delivered)]).await.unwrap();
    assert!(report.lost.is_empty());
}

// Invariant 4.
pub async fn a_scanner_s_claim_fences_the_earlier_one_of_another_scanner<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let (slow, other) = (without_memory(&scene).await, without_memory(&scene).await);
    Scene::<H>::publish(&slow, [1]).await;
    for (process, begun) in [(&slow, 1), (&other, 2)] {
        assert_eq!(process.relay().scan().await.unwrap(), 1);
        scene.note.begun.wait_for(begun, LEASE).await;
        scene.clock.advance(LEASE);
    }
    scene.note.gate.open();
    Scene::<H>::settle(&slow).await;
    assert_eq!((slow.stats().lease_lost, slow.stats().delivered_by_scanner, slow.waiting().await.unwrap()), (1, 0, 1));
    Scene::<H>::settle(&other).await;
    assert_eq!((other.stats().lease_lost, other.stats().delivered_by_scanner, other.waiting().await.unwrap()), (0, 1, 0));
}

// Invariant 4.
pub async fn eight_claimers_never_get_the_same_delivery<H: Harness>() {
    const EVENTS: usize = 2_000;
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::publish(&outbox, 0..EVENTS as i64).await;
    let mut claimers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let process = without_memory(&scene).await;
        claimers.spawn(async move {
            let mut claims = Vec::new();
            loop {
                let claim = Scene::<H>::lease(&process, "note", 37, LEASE).await;
                if claim.is_empty() {
                    return claims;
                }
                claims.extend(claim.into_iter().map(|delivery| delivery.lease));
            }
        });
    }
    let claims: Vec<Lease> = claimers.join_all().await.into_iter().flatten().collect();
    let by_id: HashMap<_, _> = claims.iter().map(|lease| (lease.id, lease.token)).collect();
    assert_eq!((claims.len(), by_id.len()), (EVENTS, EVENTS), "each delivery was claimed exactly once");
}

// Invariant 5.
pub async fn the_heartbeat_keeps_the_lease_of_a_slow_delivery<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let lease = Duration::from_millis(800);
    let limits = RelayOptions { lease, poll: Duration::from_millis(20), ..RelayOptions::default() };
    let slow = scene.process().await.relay(limits.clone()).handler::<note>().start().await.unwrap();
    let other = scene.process().await.relay(limits).handler::<note>().start().await.unwrap();
    Scene::<H>::publish(&slow, [1]).await;
    scene.note.begun.wait_for(1, LEASE).await;
    // For more than two leases the other process looks for it all the time.
    tokio::time::sleep(lease * 5 / 2).await;
    assert_eq!(scene.note.begun.len(), 1, "nobody else began it");
    scene.note.gate.open();
    Scene::<H>::until_delivered(&slow).await;
    wait_until("it is settled", async || slow.stats().delivered_from_memory == 1).await;
    assert_eq!((slow.stats().lease_lost, other.stats().delivered_by_scanner), (0, 0));
    assert_eq!(scene.note.done.all(), [Noted { n: 1 }]);
}

// Invariant 5.
pub async fn renewing_extends_the_leases_that_hold_and_tells_the_lost_ones<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::publish(&outbox, 0..3).await;
    let held: Vec<Lease> = Scene::<H>::lease(&outbox, "note", 3, LEASE).await.into_iter().map(|delivery| delivery.lease).collect();
    scene.clock.advance(LEASE / 2);
    let lost = Lease { id: held[2].id, token: LeaseToken::fresh() };
    assert_eq!(outbox.store().renew(&[held[0], held[1], lost], LEASE).await.unwrap(), [lost.id]);
    scene.clock.advance(LEASE / 2);
    let due = Scene::<H>::lease(&outbox, "note", 3, LEASE).await;
    assert_eq!(due.iter().map(|delivery| delivery.lease.id).collect::<Vec<_>>(), [held[2].id]);
}

// Invariant 5.
pub async fn what_a_dead_process_held_is_delivered_by_another_when_its_lease_has_run_out<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let dead = without_memory(&scene).await;
    Scene::<H>::publish(&dead, 0..5).await;
    assert_eq!(Scene::<H>::lease(&dead, "note", 5, LEASE).await.len(), 5);
    let heir = without_memory(&scene).await;
    Scene::<H>::drain(&heir).await;
    assert!(scene.note.done.is_empty());
    scene.clock.advance(LEASE);
    Scene::<H>::drain(&heir).await;
    assert_eq!((scene.note.done.len(), heir.waiting().await.unwrap()), (5, 0));
}

// Invariant 5.
pub async fn a_delivery_that_is_abandoned_too_often_goes_to_the_dead_letters<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { max_abandoned: 3, hand_over: 0, ..RelayOptions::default() };
    let outbox = scene.timeless().await.relay(limits).handler::<note>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, [1]).await;
    for times in 0..3 {
        assert_eq!(Scene::<H>::lease(&outbox, "note", 1, LEASE).await[0].abandoned, times);
        scene.clock.advance(LEASE);
    }
    Scene::<H>::drain(&outbox).await;
    assert!(scene.note.begun.is_empty(), "it is not tried once more");
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!((&*letter.reason, outbox.stats().dead), ("abandoned", 1));
    assert!(letter.failures[0].error.contains("its lease ran out 3 times"), "{:?}", letter.failures);
}

// Invariant 5: what counts is how often a lease ran out since the last attempt that came to an end.
pub async fn an_attempt_that_came_to_an_end_forgets_the_leases_that_ran_out_before_it<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory(&scene).await;
    Scene::<H>::publish(&outbox, [1]).await;
    for _ in 0..2 {
        Scene::<H>::lease(&outbox, "note", 1, LEASE).await;
        scene.clock.advance(LEASE);
    }
    let tried = Scene::<H>::lease(&outbox, "note", 1, LEASE).await.remove(0);
    assert_eq!(tried.abandoned, 2);
    let failed = Outcome::Retry { delay: Duration::ZERO, failures: Vec::new() };
    outbox.store().settle(&[Scene::<H>::settlement(&tried, failed)]).await.unwrap();
    let next = Scene::<H>::lease(&outbox, "note", 1, LEASE).await.remove(0);
    assert_eq!((next.abandoned, next.failed), (0, 1));
}

// Invariants 4 and 5: another process may have it by then.
pub async fn a_delivery_whose_lease_ran_out_while_it_waited_is_not_begun<H: Harness>() {
    const EVENTS: usize = 100;
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let limits = RelayOptions { lease: Duration::from_secs(1), ..RelayOptions::default() };
    let (lease, process) = (limits.lease, scene.process().await.relay(limits).handler::<note>());
    // Idle, so nobody renews.
    let outbox = process.start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, 0..EVENTS as i64).await;
    scene.note.begun.wait_for(1, LEASE).await;
    tokio::time::sleep(lease).await;
    let begun = scene.note.begun.len();
    scene.note.gate.open();
    Scene::<H>::settle(&outbox).await;
    assert!(begun < EVENTS && scene.note.begun.len() == begun, "{begun} were begun in time, {} in all", scene.note.begun.len());
    assert_eq!(outbox.stats().lease_lost, (EVENTS - begun) as u64);
}
