//! Shutting down, and what becomes of the delivered.

use crate::events::{Noted, Stepped, follow, note};
use crate::{Harness, Scene};
use events_core::RelayOptions;
use events_core::test_kit::wait_until;
use events_sqlx::{Retention, UnitOfWork, WaitingState};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

pub async fn a_shutdown_lets_deliveries_finish<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    Scene::<H>::publish(&outbox, 0..40).await;
    scene.note.begun.wait_for(16, SOON).await;
    let closing = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.shutdown_within(SOON).await }
    });
    wait_until("it shuts down", async || outbox.relay().is_closing()).await;
    assert!(!closing.is_finished());
    scene.note.gate.open();
    assert_eq!(closing.await.unwrap(), 0);
    assert_eq!((scene.note.done.len(), outbox.waiting().await.unwrap(), outbox.in_flight()), (40, 0, 0));
}

pub async fn at_the_deadline_a_shutdown_hands_back_its_leases_so_that_others_get_them_at_once<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    Scene::<H>::publish(&outbox, 0..40).await;
    scene.note.begun.wait_for(16, SOON).await;
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Leased).await, 40);
    assert_eq!(outbox.shutdown_within(Duration::from_millis(20)).await, 40);
    assert_eq!((outbox.in_flight(), outbox.stats().handed_back), (0, 40));
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Due).await, 40);
    let waiting = Scene::<H>::waiting(&outbox).await;
    assert!(waiting.iter().all(|delivery| (delivery.failed, delivery.abandoned) == (0, 0)));
    scene.note.gate.open();
    assert!(scene.note.done.is_empty(), "what was running was aborted");
    let heir = scene.process().await.handler::<note>().start().await.unwrap();
    Scene::<H>::until_delivered(&heir).await;
    assert_eq!(scene.note.done.len(), 40);
}

pub async fn after_a_shutdown_units_of_work_go_on_and_others_deliver<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    outbox.shutdown().await;
    Scene::<H>::publish(&outbox, [1]).await;
    assert_eq!(Scene::<H>::in_state(&outbox, WaitingState::Due).await, 1);
    assert!(scene.note.begun.is_empty());
    let heir = scene.process().await.handler::<note>().start().await.unwrap();
    Scene::<H>::until_delivered(&heir).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 1 }]);
}

pub async fn two_processes_may_start_at_once_on_a_fresh_database<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let process = scene.process().await.handler::<note>();
        starting.spawn(async move { process.start().await.unwrap() });
    }
    let processes = starting.join_all().await;
    for (process, n) in processes.iter().zip(0..) {
        Scene::<H>::publish(process, [n]).await;
    }
    Scene::<H>::until_delivered(&processes[0]).await;
    assert_eq!(scene.note.done.len(), 4);
}

pub async fn by_default_delivered_deliveries_are_deleted<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    Scene::<H>::publish(&outbox, 0..5).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.count("outbox_archive").await, 0);
}

pub async fn an_archive_keeps_delivered_deliveries_for_so_long<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let keep = Duration::from_secs(3_600);
    let archive = Retention::Archive(keep);
    let outbox = scene.timeless().await.retention(archive).handler::<note>().handler::<follow>().start_idle().await.unwrap();
    Scene::<H>::publish(&outbox, 0..5).await;
    Scene::<H>::settle(&outbox).await;
    scene.clock.advance(keep / 2);
    Scene::<H>::step(&outbox, 1, 1..=2).await;
    Scene::<H>::settle(&outbox).await;
    Scene::<H>::drain(&outbox).await;
    assert_eq!((outbox.waiting().await.unwrap(), scene.count("outbox_archive").await), (0, 7));
    scene.clock.advance(keep / 2);
    outbox.maintain().await.unwrap();
    assert_eq!(scene.count("outbox_archive").await, 7, "not one too early");
    scene.clock.advance(Duration::from_millis(1));
    outbox.maintain().await.unwrap();
    assert_eq!(scene.count("outbox_archive WHERE topic = 'test.stepped'").await, 2);
    assert_eq!(scene.count("outbox_archive").await, 2);
    assert_eq!(scene.follow.done.all(), [1, 2].map(|step| Stepped { line: 1, step }));
}

pub async fn purging_goes_on_until_nothing_is_left_to_purge<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    let process = scene.timeless().await.relay(limits).retention(Retention::Archive(Duration::from_secs(60)));
    let outbox = process.handler::<follow>().start_idle().await.unwrap();
    let run =
        outbox.run(async |uow: &mut UnitOfWork<H::Db>| (0..2_500).try_for_each(|line| uow.publish(Stepped { line, step: 1 }).map(drop)));
    run.await.unwrap();
    Scene::<H>::drain(&outbox).await;
    assert_eq!((scene.count("outbox_key").await, scene.count("outbox_archive").await), (2_500, 2_500));
    scene.clock.advance(Duration::from_secs(3_600));
    outbox.maintain().await.unwrap();
    assert_eq!((scene.count("outbox_key").await, scene.count("outbox_archive").await), (0, 0));
}

pub async fn migrations_that_were_printed_and_applied_by_hand_do<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let start = async || scene.process().await.handler::<follow>().without_migrations().start().await;
    assert!(start().await.is_err());
    scene.execute(events_sqlx::migrations_as_sql::<H::Db>(None).unwrap()).await;
    let outbox = start().await.unwrap();
    Scene::<H>::step(&outbox, 1, 1..=2).await;
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!(scene.follow.done.len(), 2);
    outbox.shutdown().await;
    // And whoever lets the outbox migrate finds nothing to do.
    scene.process().await.handler::<follow>().start().await.unwrap().shutdown().await;
}
