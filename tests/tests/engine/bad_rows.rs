//! Invariant 9: whatever stands in a row, it concerns that row alone.

use events_core::RelayOptions;
use events_core::test_kit::wait_until;
use events_sqlx::Filter;
use events_tests::events::{Noted, note};
use events_tests::{Harness, OnSqlite, Scene};
use std::time::Duration;

/// Publishes 0 to 4, spoils 2, and waits until the other four are delivered and settled.
async fn with_a_row(scene: &Scene<OnSqlite>, spoiled: &str) -> events_sqlx::sqlite::Outbox {
    let limits = RelayOptions { hand_over: 0, poll: Duration::from_millis(20), ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).handler::<note>().start_idle().await.unwrap();
    Scene::<OnSqlite>::publish(&outbox, 0..5).await;
    scene.execute(format!("UPDATE outbox SET {spoiled} WHERE payload = CAST('{{\"n\":2}}' AS BLOB)")).await;
    outbox.relay().start();
    wait_until("the others are delivered", async || scene.note.done.len() >= 4 && outbox.waiting().await.unwrap() <= 1).await;
    outbox
}

fn delivered(scene: &Scene<OnSqlite>) -> Vec<i64> {
    let mut delivered: Vec<i64> = scene.note.done.all().into_iter().map(|Noted { n }| n).collect();
    delivered.sort_unstable();
    delivered
}

// Invariant 9.
#[tokio::test]
async fn a_row_that_makes_no_envelope_goes_to_the_dead_letters() {
    for (spoiled, why) in [
        ("headers = 'no JSON'", "headers"),
        ("headers = '[1, 2]'", "headers"),
        ("headers = '{\"tenant\": 7}'", "headers"),
        ("version = 70000", ""),
        ("version = -1", ""),
        ("topic = CAST(x'66ff' AS TEXT)", ""),
        ("key = CAST(x'ff' AS TEXT), key_seq = 1", ""),
        ("event_id = x'0102'", ""),
    ] {
        let scene = Scene::<OnSqlite>::new().await;
        let outbox = with_a_row(&scene, spoiled).await;
        wait_until(&format!("`{spoiled}` is buried"), async || outbox.waiting().await.unwrap() == 0).await;
        assert_eq!(delivered(&scene), [0, 1, 3, 4], "{spoiled}");
        // Even listing it, and bringing it back, must not fail.
        let letters = outbox.dead_letters().list(&Filter::all()).await.unwrap();
        assert_eq!((letters.len(), &*letters[0].reason, letters[0].envelope.is_err()), (1, "undecodable", true), "{spoiled}");
        assert!(letters[0].failures[0].error.contains(why), "{spoiled}: {:?}", letters[0].failures);
        assert_eq!(outbox.dead_letters().discard(&Filter::all()).await.unwrap(), 1);
        outbox.shutdown().await;
    }
}

// Invariant 9.
#[tokio::test]
async fn a_payload_of_another_kind_goes_to_the_dead_letters() {
    for spoiled in ["payload = x'ff'", "payload = x''", "content_type = 'application/cbor'", "payload = CAST('{\"n\":\"two\"}' AS BLOB)"] {
        let scene = Scene::<OnSqlite>::new().await;
        let outbox = with_a_row(&scene, spoiled).await;
        wait_until(&format!("`{spoiled}` is buried"), async || outbox.waiting().await.unwrap() == 0).await;
        assert_eq!(delivered(&scene), [0, 1, 3, 4], "{spoiled}");
        let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
        assert_eq!((&*letter.reason, letter.envelope.is_ok()), ("undecodable", true), "{spoiled}");
        outbox.shutdown().await;
    }
}

// Invariant 9: a history that cannot be read is no reason to lose the delivery.
#[tokio::test]
async fn a_history_that_cannot_be_read_is_forgotten() {
    for spoiled in ["failures = 'no JSON'", "failures = '{}'", "failures = '[7]'"] {
        let scene = Scene::<OnSqlite>::new().await;
        let outbox = with_a_row(&scene, spoiled).await;
        Scene::<OnSqlite>::until_delivered(&outbox).await;
        assert_eq!(delivered(&scene), [0, 1, 2, 3, 4], "{spoiled}");
        assert_eq!(outbox.dead_count().await.unwrap(), 0);
        outbox.shutdown().await;
    }
}

// Invariant 9: a row without an id could not be settled, so there is none.
#[tokio::test]
async fn a_row_without_an_id_is_refused_by_the_table() {
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = with_a_row(&scene, "source = '/elsewhere'").await;
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    outbox.shutdown().await;
    Scene::<OnSqlite>::publish(&outbox, [5]).await;
    let mut conn = scene.harness.connect().await.acquire().await.unwrap();
    let error = sqlx::query("UPDATE outbox SET id = x'0102'").execute(&mut *conn).await.unwrap_err();
    assert!(error.to_string().contains("CHECK constraint failed: length(id) = 16"), "{error}");
}
