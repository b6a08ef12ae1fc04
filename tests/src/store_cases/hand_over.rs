//! Invariants 2, 3 and 12: one row per target, inserted leased to the publisher and handed over from memory, as far as there is room.

use crate::events::{Copied, Noted, copy, note};
use crate::{Harness, Scene};
use events_core::{Backoff, DomainEvent, Publication, RelayOptions, RetryPolicy, test_kit::Fault};
use events_sqlx::{UnitOfWork, WaitingState};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

// Invariant 2.
pub async fn one_event_is_one_row_per_target<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    scene.copy.gate.close();
    let outbox = scene.process().await.handler::<note>().handler::<copy>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, 0..3).await;
    let waiting = Scene::<H>::waiting(&outbox).await;
    for n in 0..3 {
        let of_n = waiting.iter().filter(|row| row.envelope.as_ref().unwrap().open::<Noted>().unwrap().n == n);
        let mut targets: Vec<&str> = of_n.map(|row| &*row.target).collect();
        targets.sort_unstable();
        assert_eq!(targets, ["copy", "note"]);
    }
    // The event is one and the same for both.
    assert_eq!(scene.numbers("SELECT count(DISTINCT event_id) FROM outbox").await, [3]);
    assert_eq!(scene.numbers("SELECT count(DISTINCT id) FROM outbox").await, [6]);
}

// Invariant 2.
pub async fn a_failing_handler_never_runs_its_sibling_again<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.faults.next(3, Fault::Retryable);
    let outbox = scene.process().await.handler::<note>().handler::<copy>().start().await.unwrap();
    Scene::<H>::publish(&outbox, [7]).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.note.begun.all(), (1..=4).map(|attempt| (Noted { n: 7 }, attempt)).collect::<Vec<_>>());
    assert_eq!(scene.copy.begun.all(), [(Copied(7), 1)]);
    assert_eq!((outbox.stats().retried, outbox.stats().dead), (3, 0));
}

// Invariant 2.
pub async fn a_target_that_is_stuck_does_not_hold_up_its_sibling<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let outbox = scene.process().await.handler::<note>().handler::<copy>().start().await.unwrap();
    for n in 0..50 {
        Scene::<H>::publish(&outbox, [n]).await;
    }
    scene.copy.done.wait_for(50, SOON).await;
    assert!(scene.note.done.is_empty());
    scene.note.gate.open();
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.note.done.len(), 50);
}

// Invariant 3.
pub async fn rows_are_inserted_leased_to_the_publisher<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let publisher = scene.timeless().await.handler::<note>().start_idle().await.unwrap();
    let other = scene.timeless().await.handler::<note>().start_idle().await.unwrap();
    Scene::<H>::publish(&publisher, [1, 2]).await;
    assert_eq!(Scene::<H>::in_state(&other, WaitingState::Leased).await, 2);
    assert_eq!(other.relay().scan().await.unwrap(), 0, "nobody else gets what is leased to the publisher");
    scene.clock.advance(other.relay().options().lease - Duration::from_millis(1));
    assert_eq!(other.relay().scan().await.unwrap(), 0, "the lease has not run out yet");
    scene.clock.advance(Duration::from_millis(1));
    assert_eq!(other.relay().scan().await.unwrap(), 2, "the lease has run out");
}

// Invariant 3.
pub async fn a_committed_event_is_delivered_from_memory_without_any_scanner<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().handler::<copy>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, 0..5).await;
    scene.note.done.wait_for(5, SOON).await;
    Scene::<H>::settle(&outbox).await;
    assert_eq!(outbox.waiting().await.unwrap(), 0);
    assert_eq!((outbox.stats().delivered_from_memory, outbox.stats().delivered_by_scanner), (10, 0));
}

// Invariant 3: workers that had nothing to do are called again, as many as there is something to do for.
pub async fn idle_workers_take_the_next_deliveries<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start_idle().await.unwrap();
    let mut published = 0;
    for wave in [1, 3, 1, 2, 3, 3] {
        // So that each of them needs a worker of its own.
        scene.note.gate.close();
        Scene::<H>::publish(&outbox, published..published + wave).await;
        published += wave;
        scene.note.begun.wait_for(published as usize, SOON).await;
        scene.note.gate.open();
        scene.note.done.wait_for(published as usize, SOON).await;
        Scene::<H>::settle(&outbox).await;
    }
    assert_eq!((outbox.in_flight(), outbox.stats().delivered_from_memory), (0, published as u64));
}

// Invariant 3.
pub async fn nothing_of_a_rolled_back_unit_of_work_is_handed_over<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    let rolled_back = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        uow.publish(Noted { n: 1 })?;
        anyhow::bail!("no")
    });
    rolled_back.await.unwrap_err();
    Scene::<H>::publish(&outbox, [2]).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 2 }]);
    assert_eq!(outbox.in_flight(), 0);
}

// Invariant 12.
pub async fn what_finds_no_room_in_memory_is_inserted_unleased_and_delivered_all_the_same<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let limits = RelayOptions { hand_over: 10, poll: Duration::from_millis(25), ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).handler::<note>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, 0..5).await;
    for n in 5..100 {
        Scene::<H>::publish(&outbox, [n]).await;
    }
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Leased).await, 10);
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Due).await, 90);
    assert_eq!((outbox.in_flight(), outbox.stats().overflowed), (10, 90));
    scene.note.gate.open();
    outbox.relay().start();
    Scene::<H>::until_delivered(&outbox).await;
    let mut delivered: Vec<i64> = scene.note.done.all().into_iter().map(|event| event.n).collect();
    delivered.sort_unstable();
    assert_eq!(delivered, (0..100).collect::<Vec<_>>(), "all of them, each once");
    assert_eq!((outbox.stats().delivered_from_memory, outbox.stats().delivered_by_scanner), (10, 90));
}

/// An event with weight, declared by hand: only one case needs it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Heavy {
    weight: String,
}

impl DomainEvent for Heavy {
    const TOPIC: &'static str = "test.heavy";
    const LOCAL: bool = true;
}

#[events_core::after_commit(manual)]
async fn lift(_: Heavy, events_core::State(role): events_core::State<crate::Role<Noted>>) -> Result<(), events_core::DeliveryError> {
    role.play(Noted { n: 0 }, 1).await
}

// Invariant 12.
pub async fn payloads_in_memory_have_a_budget<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let limits = RelayOptions { hand_over_memory: 64 * 1024, ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).event::<Heavy>().handler::<lift>().start_idle().await.unwrap();
    for _ in 0..10 {
        let publish = async |uow: &mut UnitOfWork<H::Db>| uow.publish(Heavy { weight: "x".repeat(20 * 1024) });
        outbox.run(publish).await.unwrap();
    }
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Leased).await, 3, "three times 20 KiB fit into 64 KiB");
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Due).await, 7);
    scene.note.gate.open();
    outbox.relay().start();
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.note.done.len(), 10);
    // What was given back can be used again.
    scene.note.gate.close();
    let publish = async |uow: &mut UnitOfWork<H::Db>| uow.publish(Heavy { weight: "x".repeat(60 * 1024) });
    outbox.run(publish).await.unwrap();
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Leased).await, 1);
}

// Invariant 3.
pub async fn what_has_a_delay_is_not_handed_over<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox =
        scene.timeless().await.retry(RetryPolicy::default().backoff(Backoff::Fixed(SOON))).handler::<note>().start_idle().await.unwrap();
    let publish = async |_: &mut UnitOfWork<H::Db>| Publication::of(Noted { n: 1 }).delay(SOON).header("tenant", "acme").publish();
    outbox.run(publish).await.unwrap();
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Later).await, 1);
    scene.clock.advance(SOON - Duration::from_millis(1));
    assert_eq!(outbox.relay().scan().await.unwrap(), 0);
    scene.clock.advance(Duration::from_millis(1));
    let headers = Scene::<H>::waiting(&outbox).await[0].envelope.clone().unwrap().headers;
    assert_eq!(headers.get("tenant").map(String::as_str), Some("acme"));
    Scene::<H>::drain(&outbox).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 1 }]);
}

// Invariant 12: what did not fit into memory is fetched as fast as it is delivered. Polling is the truth, but nobody waits for it.
pub async fn a_backlog_is_drained_without_waiting_for_the_next_poll<H: Harness>() {
    const BACKLOG: i64 = 3_000;
    let scene = Scene::<H>::new().await;
    let nothing_fits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let publisher = scene.process().await.handler::<note>().relay(nothing_fits).start_idle().await.unwrap();
    let all = async |uow: &mut UnitOfWork<H::Db>| (0..BACKLOG).try_for_each(|n| uow.publish(Noted { n }).map(drop));
    publisher.run(all).await.unwrap();
    assert_eq!(Scene::<H>::in_state(&publisher, WaitingState::Due).await, BACKLOG as usize);
    let rare = RelayOptions { poll: Duration::from_secs(3_600), batch: 50, ..RelayOptions::default() };
    let relay = scene.process().await.handler::<note>().relay(rare).start().await.unwrap();
    scene.note.done.wait_for(BACKLOG as usize, Duration::from_secs(60)).await;
    relay.shutdown().await;
    assert_eq!((relay.waiting().await.unwrap(), relay.stats().delivered_by_scanner), (0, BACKLOG as u64));
}
