//! Invariant 8: no transaction stays open during a handler or broker call, except the handler's own unit of work.

use crate::events::{Booked, Noted, Sent, note};
use crate::{Harness, Scene};
use events_core::test_kit::wait_until;
use events_core::{DeliveryError, Envelope, RelayOptions, Transport};
use events_sqlx::UnitOfWork;
use std::{sync::Arc, time::Duration};

const SOON: Duration = Duration::from_secs(10);

// Invariant 8.
pub async fn no_transaction_is_open_while_a_handler_runs<H: Harness>() {
    for hand_over in [2_048, 0] {
        let scene = Scene::<H>::new().await;
        scene.note.gate.close();
        let limits = RelayOptions { hand_over, ..RelayOptions::default() };
        let outbox = scene.process().await.relay(limits).handler::<note>().start_idle().await.unwrap();
        Scene::<H>::publish(&outbox, [1]).await;
        outbox.relay().scan().await.unwrap();
        scene.note.begun.wait_for(1, SOON).await;
        assert!(!scene.harness.is_transaction_open().await);
        scene.note.gate.open();
        Scene::<H>::settle(&outbox).await;
        assert_eq!(scene.note.done.all(), [Noted { n: 1 }]);
    }
}

/// A broker that waits at its gate.
struct SlowBroker(crate::Role<Noted>);

#[async_trait::async_trait]
impl Transport for SlowBroker {
    fn name(&self) -> &str {
        "slow"
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let mut results = Vec::new();
        for _ in batch {
            results.push(self.0.play(Noted { n: 0 }, 1).await);
        }
        results
    }
}

// Invariant 8.
pub async fn no_transaction_is_open_while_a_transport_sends<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let outbox = scene.process().await.transport(SlowBroker(scene.note.clone())).start_idle().await.unwrap();
    outbox.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(Sent { line: 1, step: 1 })).await.unwrap();
    scene.note.begun.wait_for(1, SOON).await;
    assert!(!scene.harness.is_transaction_open().await);
    scene.note.gate.open();
    Scene::<H>::settle(&outbox).await;
    assert_eq!(outbox.waiting().await.unwrap(), 0);
}

// Invariant 8: the exception, which also shows that the two cases above would notice an open transaction.
pub async fn a_handler_with_a_unit_of_work_has_its_transaction_open<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.book.gate.close();
    let outbox = scene.process().await.handler::<H::Book>().handler::<note>().start_idle().await.unwrap();
    outbox.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish(Booked { n: 1 })).await.unwrap();
    scene.book.begun.wait_for(1, SOON).await;
    assert!(scene.harness.is_transaction_open().await);
    scene.book.gate.open();
    wait_until("its transaction is over", async || !scene.harness.is_transaction_open().await).await;
    assert_eq!(scene.business().await, [1]);
}
