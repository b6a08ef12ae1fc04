//! Processes that only publish: they store deliveries, and other processes deliver them.

use crate::events::{Noted, note};
use crate::{Harness, Scene};
use events_core::RelayOptions;
use events_sqlx::{Outbox, OutsideUnitOfWork, WaitingState};
use std::time::Duration;

pub async fn a_process_that_only_publishes_leaves_its_deliveries_to_others<H: Harness>() {
    let scene = Scene::<H>::new().await;
    // Without the state that `note` needs: it is never called.
    let publisher = Outbox::builder(scene.harness.connect().await).without_linked_handlers().handler::<note>().publish_only();
    let publisher = publisher.start().await.unwrap();
    Scene::<H>::publish(&publisher, 0..10).await;
    assert_eq!(Scene::<H>::in_state(&publisher, WaitingState::Due).await, 10, "they are not leased");
    assert_eq!((publisher.in_flight(), publisher.stats().overflowed), (0, 0));
    assert_eq!(publisher.health().iter().map(|health| health.name).collect::<Vec<_>>(), ["announcer", "reporter"]);

    // It scans nothing: another process finds everything.
    let worker = scene.process().await.handler::<note>().start().await.unwrap();
    scene.note.done.wait_for(10, Duration::from_secs(30)).await;
    Scene::<H>::until_delivered(&worker).await;
    assert_eq!((worker.stats().delivered_by_scanner, publisher.stats().delivered_by_scanner), (10, 0));
    assert_eq!(scene.note.done.all().len(), 10);
    assert_eq!(publisher.shutdown_within(Duration::from_secs(5)).await, 0);
}

pub async fn a_process_that_only_publishes_says_so_in_its_limits_too<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { publish_only: true, ..RelayOptions::default() };
    let publisher = scene.process().await.relay(limits.clone()).handler::<note>().start().await.unwrap();
    publisher.run(async |uow| uow.publish(Noted { n: 1 })).await.unwrap();
    assert_eq!((publisher.in_flight(), Scene::<H>::in_state(&publisher, WaitingState::Due).await), (0, 1));

    let sends_now = scene.process().await.relay(limits).handler::<note>().outside_unit_of_work(OutsideUnitOfWork::SendNow);
    let error = sends_now.start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the policy outside units of work is `SendNow`, but a process that only publishes delivers nothing itself; choose `OwnTransaction`"
    );
}
