//! Invariant 9: what cannot be read goes to the dead letters alone; what nobody here knows stays.

use crate::events::{NotedOfOld, Renumbered, RenumberedNext, copy, note, note_renamed, renumber, renumber_next, renumber_of_old};
use crate::{Harness, Scene};
use events_core::{Orphans, RelayOptions};
use events_sqlx::{Filter, Outbox, OutboxBuilder, UnitOfWork, WaitingState};
use std::time::Duration;

fn without_memory<H: Harness>(process: OutboxBuilder<H::Db>) -> OutboxBuilder<H::Db> {
    process.relay(RelayOptions { hand_over: 0, ..RelayOptions::default() })
}

async fn of_old<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    without_memory::<H>(scene.timeless().await).event::<NotedOfOld>().handler::<renumber_of_old>().start_idle().await.unwrap()
}

async fn today<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    without_memory::<H>(scene.timeless().await).event::<Renumbered>().handler::<renumber>().start_idle().await.unwrap()
}

// Invariant 9.
pub async fn a_payload_that_does_not_fit_goes_to_the_dead_letters_and_the_batch_goes_on<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let (old, new) = (of_old(&scene).await, today(&scene).await);
    for n in 1..=5 {
        if n == 3 {
            old.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(NotedOfOld { number: n })).await.unwrap();
        } else {
            new.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(Renumbered { n })).await.unwrap();
        }
    }
    assert_eq!(new.relay().scan().await.unwrap(), 5, "in one batch");
    Scene::<H>::settle(&new).await;
    let mut done: Vec<i64> = scene.renumber.done.all().into_iter().map(|event| event.n).collect();
    done.sort_unstable();
    assert_eq!(done, [1, 2, 4, 5]);
    let letters = new.dead_letters().list(&Filter::all()).await.unwrap();
    assert_eq!((letters.len(), &*letters[0].reason, letters[0].attempts), (1, "undecodable", 1));
    let error = &letters[0].failures[0].error;
    for said in ["test.renumbered", "version 1", "Renumbered", "missing field `n`"] {
        assert!(error.contains(said), "`{said}` is not in: {error}");
    }
    assert!(letters[0].envelope.as_ref().unwrap().open::<NotedOfOld>().is_ok(), "nothing of it is lost");
}

// Invariant 9.
pub async fn a_row_that_cannot_be_read_goes_to_the_dead_letters_and_the_batch_goes_on<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = without_memory::<H>(scene.timeless().await).handler::<note>().handler::<copy>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, [1]).await;
    scene.execute(format!("UPDATE outbox SET {} WHERE target = 'note'", H::UNREADABLE)).await;
    Scene::<H>::publish(&outbox, [2, 3]).await;
    let listed = Scene::<H>::waiting(&outbox).await;
    assert_eq!(listed.iter().filter(|waiting| waiting.envelope.is_err()).count(), 1, "people can still list it");
    assert_eq!(outbox.relay().scan().await.unwrap(), 6);
    Scene::<H>::settle(&outbox).await;
    Scene::<H>::settle_all(&outbox).await;
    let mut done: Vec<i64> = scene.note.done.all().into_iter().map(|event| event.n).collect();
    done.sort_unstable();
    assert_eq!((done, scene.copy.done.len()), (vec![2, 3], 3));
    let letter = outbox.dead_letters().list(&Filter::all().target("note")).await.unwrap().remove(0);
    assert_eq!((&*letter.reason, letter.envelope.is_err(), letter.failures.len()), ("undecodable", true, 1));
    assert_eq!(outbox.stats().dead, 1);
}

// Invariant 9.
pub async fn deliveries_for_targets_that_nobody_has_here_stay_and_are_counted<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let publisher = without_memory::<H>(scene.timeless().await).handler::<note>().handler::<copy>().start_idle().await.unwrap();
    Scene::<H>::publish(&publisher, 0..3).await;
    let other = scene.timeless().await.handler::<copy>().start_idle().await.unwrap();
    Scene::<H>::drain(&other).await;
    assert_eq!((scene.copy.done.len(), other.waiting().await.unwrap()), (3, 3));
    assert_eq!(other.orphans().await.unwrap(), [Orphans { target: "note".into(), waiting: 3 }]);
    assert!(publisher.orphans().await.unwrap().is_empty());
    other.maintain().await.unwrap();
    assert_eq!(other.stats().orphaned, 3);
    // Whoever has the handler delivers them.
    Scene::<H>::drain(&publisher).await;
    assert_eq!((scene.note.done.len(), publisher.waiting().await.unwrap(), other.orphans().await.unwrap()), (3, 0, vec![]));
}

// Invariant 9.
pub async fn a_renamed_handler_delivers_what_waits_under_its_old_name<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let old = without_memory::<H>(scene.timeless().await).handler::<note>().start_idle().await.unwrap();
    Scene::<H>::publish(&old, 0..3).await;
    let new = scene.timeless().await.handler::<note_renamed>().start_idle().await.unwrap();
    assert!(new.orphans().await.unwrap().is_empty());
    Scene::<H>::drain(&new).await;
    assert_eq!((scene.note.done.len(), new.waiting().await.unwrap()), (3, 0));
    scene.note.gate.close();
    Scene::<H>::publish(&new, [9]).await;
    assert_eq!(Scene::<H>::waiting(&new).await[0].target, "note.renamed", "new ones bear the new name");
    assert_eq!(scene.note.done.len(), 3);
}

// Invariant 9.
pub async fn an_event_newer_than_its_handler_is_handed_back_without_an_attempt<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let newer =
        without_memory::<H>(scene.timeless().await).event::<RenumberedNext>().handler::<renumber_next>().start_idle().await.unwrap();
    let today = today(&scene).await;
    newer.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(RenumberedNext { n: 1 })).await.unwrap();
    Scene::<H>::drain(&today).await;
    assert!(scene.renumber.begun.is_empty());
    let waiting = Scene::<H>::waiting(&newer).await.remove(0);
    assert_eq!((waiting.state, waiting.failed, waiting.abandoned, waiting.failures.len()), (WaitingState::Later, 0, 0, 0));
    assert_eq!((today.stats().handed_back, today.stats().retried), (1, 0));
    scene.clock.advance(Duration::from_secs(60));
    Scene::<H>::drain(&newer).await;
    assert_eq!(scene.renumber.begun.all(), [(Renumbered { n: 1 }, 1)]);
    assert_eq!(newer.waiting().await.unwrap(), 0);
}
