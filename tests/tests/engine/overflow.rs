//! Invariant 12: what found no room in memory is fetched as soon as there is some, without waiting for the next poll.

use events_core::{Collector, DeliveryError, Metadata, Publication, RelayOptions, State, after_commit};
use events_tests::events::{Noted, note};
use events_tests::{OnSqlite, Role, Scene};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
/// The relay looks by itself only once.
const NEVER: Duration = Duration::from_secs(3_600);

#[after_commit(manual, concurrency = 64)]
async fn note_many(event: Noted, meta: Metadata, State(role): State<Role<Noted>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

// Invariant 12: more run at once than the scanner keeps in memory.
#[tokio::test]
async fn what_overflows_while_all_workers_are_busy_is_fetched_when_they_are_done() {
    let scene = Scene::<OnSqlite>::new().await;
    scene.note.gate.close();
    let limits = RelayOptions { hand_over: 64, batch: 20, poll: NEVER, ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).handler::<note_many>().start().await.unwrap();
    Scene::<OnSqlite>::publish(&outbox, 0..64).await;
    scene.note.begun.wait_for(64, SOON).await;
    for n in 64..80 {
        Scene::<OnSqlite>::publish(&outbox, [n]).await;
    }
    assert_eq!(outbox.stats().overflowed, 16);
    scene.note.gate.open();
    scene.note.done.wait_for(80, SOON).await;
    outbox.shutdown().await;
}

// Invariant 12: between the reservation that found no room and its COMMIT, the scanner has looked, and memory has filled up again.
#[tokio::test]
async fn what_overflows_just_after_a_look_is_fetched_when_there_is_room() {
    let scene = Scene::<OnSqlite>::new().await;
    let limits = RelayOptions { hand_over: 200, poll: NEVER, ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).handler::<note>().start_idle().await.unwrap();
    // Delivered, and not settled yet: there is no room.
    Scene::<OnSqlite>::publish(&outbox, 0..200).await;
    scene.note.done.wait_for(200, SOON).await;
    let collector = Collector::new(0, "/".into(), 1_000);
    collector.push(Publication::of(Noted { n: -1 })).unwrap();
    let late = outbox.relay().plan(collector.drain()).unwrap();
    assert!(!late.planned()[0].is_leased(), "there was room");
    assert_eq!(outbox.relay().scan().await.unwrap(), 0);
    Scene::<OnSqlite>::settle(&outbox).await;
    // Full again, this time with what waits.
    scene.note.gate.close();
    Scene::<OnSqlite>::publish(&outbox, 200..400).await;
    // As the unit of work of `late` would: one row that is due. Nobody announces it.
    let no_room = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let other = scene.process().await.relay(no_room).handler::<note>().start_idle().await.unwrap();
    Scene::<OnSqlite>::publish(&other, [400]).await;
    outbox.relay().start();
    late.hand_over();
    assert_eq!(outbox.relay().scan().await.unwrap(), 0, "enough waits in memory");
    scene.note.gate.open();
    scene.note.done.wait_for(401, SOON).await;
    outbox.shutdown().await;
}
