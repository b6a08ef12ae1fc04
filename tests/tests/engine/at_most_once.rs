//! A handler that is called at most once, while the database does not answer.

use events_core::test_kit::wait_until;
use events_core::{Metadata, Registry, RelayOptions, State, after_commit};
use events_sqlx::Filter;
use events_tests::events::{Noted, copy, note};
use events_tests::{Broken, FaultyStore, OnSqlite, Role, Scene, Troubles};
use std::time::Duration;

#[after_commit(manual, at_most_once)]
async fn ring(event: Noted, meta: Metadata, State(role): State<Role<Noted>>) -> Result<(), events_core::DeliveryError> {
    role.play(event, meta.attempt).await
}

#[after_commit(manual, idempotent)]
async fn ring_again(_event: Noted) {}

// Invariant 21.
#[tokio::test]
async fn nothing_is_called_before_the_database_knows_of_it() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    // Nobody knows whether the second one was written.
    troubles.next("remember", [Broken::Error, Broken::TooLate, Broken::Error]);
    let outbox = troubles.during(scene.process().await.handler::<ring>().wrap_store(FaultyStore::wrap).start()).await.unwrap();
    Scene::<OnSqlite>::publish(&outbox, [7]).await;
    wait_until("the database was asked three times", async || troubles.calls("remember") >= 3 || !scene.note.begun.is_empty()).await;
    assert_eq!(scene.note.begun.len(), 0);
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!((scene.note.begun.len(), outbox.dead_count().await.unwrap(), outbox.stats().store_errors), (1, 0, 3));
}

// Invariant 21.
#[tokio::test]
async fn a_lease_that_ran_out_while_the_database_was_away_is_no_call_and_no_dead_letter() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    let limits = RelayOptions { lease: Duration::from_millis(300), linger: Duration::ZERO, ..RelayOptions::default() };
    let builder = scene.process().await.relay(limits).handler::<ring>().wrap_store(FaultyStore::wrap);
    let outbox = troubles.during(builder.start()).await.unwrap();
    Scene::<OnSqlite>::publish(&outbox, [1]).await;
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    troubles.always(Broken::Error);
    Scene::<OnSqlite>::publish(&outbox, [2]).await;
    wait_until("the lease was given up", async || outbox.relay().in_flight() == 0).await;
    assert_eq!(scene.note.begun.len(), 1);
    troubles.stop();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!((scene.note.begun.len(), outbox.dead_letters().list(&Filter::all()).await.unwrap().len()), (2, 0));
}

#[tokio::test]
async fn handlers_that_may_be_called_again_and_do_not_say_what_that_means_are_known() {
    let scene = Scene::<OnSqlite>::new().await;
    let mut registry = Registry::builder();
    registry.without_linked_handlers().state(scene.note.clone()).state(scene.copy.clone());
    registry.handler::<note>().handler::<copy>().handler::<ring>().handler::<ring_again>();
    assert_eq!(registry.build().ok().unwrap().repeatable(), ["copy", "note"]);
}
