//! Invariant 10: a target that is away is paused, and no attempt is burned.

use crate::events::{Sent, note};
use crate::{Harness, Scene};
use events_core::RelayOptions;
use events_core::test_kit::{Fault, Faults, ScriptedTransport, wait_until};
use events_sqlx::{Outbox, UnitOfWork};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

async fn send<H: Harness>(outbox: &Outbox<H::Db>, line: i64, steps: impl IntoIterator<Item = i64>) {
    for step in steps {
        outbox.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(Sent { line, step })).await.unwrap();
    }
}

// Invariant 10.
pub async fn an_outage_pauses_its_target_burns_no_attempts_and_loses_nothing<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let faults = Faults::none();
    let broker = ScriptedTransport::new("broker", faults.clone());
    let limits = RelayOptions { poll: Duration::from_millis(20), ..RelayOptions::default() };
    let outbox = scene.process().await.relay(limits).transport(broker.clone()).handler::<note>().start().await.unwrap();
    faults.always(Fault::Unavailable);
    send::<H>(&outbox, 1, 1..=5).await;
    wait_until("the target is paused", async || outbox.stats().paused >= 1).await;
    for step in 1..=5 {
        send::<H>(&outbox, 2, [step]).await;
        Scene::<H>::publish(&outbox, [step]).await;
    }
    scene.note.done.wait_for(5, SOON).await;
    assert!(broker.sent().is_empty(), "the other target goes on, the broker is away");
    // Long enough for the first probe to fail as well.
    wait_until("the pause was prolonged", async || outbox.stats().paused >= 2).await;
    wait_until("nothing is in memory", async || outbox.in_flight() == 0).await;
    let waiting = Scene::<H>::waiting(&outbox).await;
    assert_eq!(waiting.len(), 10);
    assert!(waiting.iter().all(|delivery| delivery.failed == 0 && delivery.failures.is_empty()), "no attempt was burned");
    let refused = outbox.stats().handed_back;
    assert!((1..=12).contains(&refused), "a probe now and then, no hammering, but it was refused {refused} times");

    faults.stop();
    Scene::<H>::until_delivered(&outbox).await;
    let sent: Vec<Sent> = broker.sent().all().iter().map(|envelope| envelope.open().unwrap()).collect();
    for line in [1, 2] {
        let steps: Vec<i64> = sent.iter().filter(|event| event.line == line).map(|event| event.step).collect();
        assert_eq!(steps, [1, 2, 3, 4, 5], "all of line {line}, once, in order");
    }
    assert_eq!((outbox.stats().retried, outbox.stats().dead), (0, 0));
}

// Invariant 10.
pub async fn a_handler_can_be_away_too<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.faults.next(1, Fault::Unavailable);
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    Scene::<H>::publish(&outbox, 0..20).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.note.done.len(), 20);
    assert!(scene.note.begun.all().iter().all(|(_, attempt)| *attempt == 1));
    assert_eq!((outbox.stats().paused, outbox.stats().retried), (1, 0));
}
