//! Which events go past the outbox, and which cannot.

use events_core::test_kit::{Faults, ScriptedTransport};
use events_core::{DomainEvent, Registry, RegistryBuilder, RelayOptions};
use events_sqlx::OutsideUnitOfWork;
use events_sqlx::sqlite::UnitOfWork;
use events_tests::events::Sent;
use events_tests::{HalfMemory, OnSqlite, Scene};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct ToHalf;
impl DomainEvent for ToHalf {
    const TOPIC: &'static str = "test.to_half";
    const TO: Option<&'static str> = Some("half");
}

#[derive(Serialize, Deserialize)]
struct AtHome;
impl DomainEvent for AtHome {
    const TOPIC: &'static str = "test.at_home";
    const LOCAL: bool = true;
}

fn registry() -> RegistryBuilder {
    let mut builder = Registry::builder();
    builder.without_linked_handlers().event::<ToHalf>().event::<AtHome>().event::<Sent>().allow_unrouted();
    builder
}

fn route(builder: RegistryBuilder, topic: &str) -> String {
    let lines = builder.build().map_err(|error| error.to_string()).unwrap().describe();
    lines.into_iter().find(|line| line.starts_with(topic)).unwrap()
}

#[test]
fn events_go_past_the_outbox_if_they_say_so_or_there_is_no_other_way() {
    let alone = || {
        let mut builder = registry();
        builder.two_phase(HalfMemory::default());
        builder
    };
    assert_eq!(route(alone(), "test.sent"), "test.sent v1 -> two-phase:half");
    assert_eq!(route(alone(), "test.to_half"), "test.to_half v1 -> two-phase:half");
    assert_eq!(route(alone(), "test.at_home"), "test.at_home v1 -> nobody");
    let beside = || {
        let mut builder = alone();
        builder.transport(ScriptedTransport::new("radio", Faults::none()));
        builder
    };
    assert_eq!(route(beside(), "test.sent"), "test.sent v1 -> transport:radio");
    assert_eq!(route(beside(), "test.to_half"), "test.to_half v1 -> two-phase:half");
}

#[test]
fn two_ways_of_one_name_and_two_ways_without_a_name_are_refused() {
    let mut builder = registry();
    builder.two_phase(HalfMemory::default()).transport(ScriptedTransport::new("half", Faults::none()));
    let said = builder.build().err().unwrap().to_string();
    assert!(said.contains("`half`"), "{said}");
    let mut builder = registry();
    builder.two_phase(HalfMemory::default()).two_phase(HalfMemory::named("other"));
    let said = builder.build().err().unwrap().to_string();
    assert!(said.contains("does not say which of the transports half, other takes it"), "{said}");
}

#[tokio::test]
async fn what_needs_a_row_or_has_no_transaction_is_refused() {
    let (scene, half) = (Scene::<OnSqlite>::new().await, HalfMemory::default());
    let process = scene.process().await.event::<Sent>().two_phase(half.clone());
    let outbox = process.outside_unit_of_work(OutsideUnitOfWork::SendNow).start().await.unwrap();
    let later = outbox.run(async |uow: &mut UnitOfWork| uow.publish_in(Duration::from_secs(5), Sent { line: 1, step: 0 }));
    assert_eq!(
        later.await.unwrap_err().to_string(),
        "the event on topic `test.sent` has a delay, and goes to the two-phase transport `half`, which delays nothing; publish it without, or \
         send it through the outbox"
    );
    let now = outbox.publish(Sent { line: 1, step: 0 }).await.unwrap_err().to_string();
    assert!(now.contains("it needs a transaction to wait for"), "{now}");
    assert!(half.hidden().is_empty() && half.shown().is_empty());
}

#[tokio::test]
async fn a_lifetime_that_brokers_cannot_wait_for_is_refused() {
    for seconds in [0, 301] {
        let scene = Scene::<OnSqlite>::new().await;
        let limits = RelayOptions { transaction_lifetime: Duration::from_secs(seconds), ..RelayOptions::default() };
        let process = scene.process().await.event::<Sent>().two_phase(HalfMemory::default());
        let said = process.relay(limits).start().await.unwrap_err().to_string();
        assert!(said.contains("the lifetime of a transaction"), "{said}");
    }
}

#[tokio::test]
async fn every_database_is_another_outbox_and_every_process_on_it_the_same() {
    let scenes = [Scene::<OnSqlite>::new().await, Scene::<OnSqlite>::new().await];
    let mut identities = Vec::new();
    for scene in [&scenes[0], &scenes[0], &scenes[1]] {
        let outbox = scene.process().await.event::<Sent>().two_phase(HalfMemory::default()).start().await.unwrap();
        identities.push(outbox.store().identity().await.unwrap());
    }
    assert!(identities[0] == identities[1] && identities[1] != identities[2], "{identities:?}");
    assert!(identities[0].len() >= 32);
}
