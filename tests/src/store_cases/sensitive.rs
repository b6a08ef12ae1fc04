//! What is sensitive is told beside the event, and is not shown to people.

use crate::events_of_cards::{Blocked, BlockedOfOld, CARD, Charged, block, block_of_old, charge};
use crate::{Harness, Role, Scene};
use events_core::{Publication, RelayOptions, SENSITIVE_HEADER};
use events_sqlx::{Filter, UnitOfWork};

// Invariant 23.
pub async fn sensitive_fields_are_named_beside_their_event_and_masked_for_people<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let part = Role::<Charged>::default();
    part.gate.close();
    let outbox = scene.process().await.state(part.clone()).handler::<charge>().start().await.unwrap();
    let publish = async |uow: &mut UnitOfWork<H::Db>| {
        uow.publish_with(Publication::of(Charged::of(7)).header(SENSITIVE_HEADER, "[]").header("tenant", "acme"))
    };
    outbox.run(publish).await.unwrap();
    let waiting = Scene::<H>::waiting(&outbox).await.remove(0);
    let envelope = waiting.envelope.as_ref().unwrap();
    assert_eq!(envelope.headers[SENSITIVE_HEADER], r#"["card"]"#, "whatever the publisher says");
    assert_eq!(envelope.headers["tenant"], "acme");
    assert_eq!(envelope.masked(), r#"{"card":"***","n":7}"#);
    assert!(!format!("{waiting:?}").contains(CARD) && !format!("{:?}", Charged::of(7)).contains(CARD));
    part.gate.open();
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(part.done.all(), [Charged::of(7)], "handlers get it in clear");
}

// Invariant 23.
pub async fn the_error_of_a_payload_that_does_not_fit_does_not_quote_it<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let old = scene.timeless().await.relay(limits).event::<BlockedOfOld>().handler::<block_of_old>().start_idle().await.unwrap();
    old.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(BlockedOfOld { card: CARD.into() })).await.unwrap();
    let new = scene.timeless().await.event::<Blocked>().handler::<block>().start_idle().await.unwrap();
    Scene::<H>::drain(&new).await;
    let letter = new.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    let error = &letter.failures[0].error;
    assert_eq!(&*letter.reason, "undecodable");
    assert!(!error.contains("4111"), "the value is not in: {error}");
    for said in ["test.blocked", "Blocked", "line 1 column"] {
        assert!(error.contains(said), "`{said}` is not in: {error}");
    }
    let quoting = "outbox_dead WHERE last_error LIKE '%4111%' OR failures LIKE '%4111%'";
    assert_eq!((scene.count(quoting).await, scene.count("outbox_dead").await), (0, 1));
}
