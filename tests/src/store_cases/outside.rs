//! Invariants 15 and 20: publishing where there is no unit of work, and what is too large to be published.

use crate::events::{Booked, Noted, Stepped, follow, note};
use crate::{Harness, Scene, kind_of};
use events_core::test_kit::Fault;
use events_core::{Error, Publication, publish};
use events_sqlx::{OutsideUnitOfWork, UnitOfWork};
use std::time::Duration;

// Invariant 15.
pub async fn publishing_outside_a_unit_of_work_is_an_error_that_names_the_cure<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start_idle().await.unwrap();
    let text = "`test.noted` was published outside a unit of work; call `publish` on the task that runs `UnitOfWork::run` (a spawned \
                task does not inherit it), or call `outbox.publish(..)` with `OutsideUnitOfWork::OwnTransaction`";
    assert_eq!(publish(Noted { n: 1 }).unwrap_err().to_string(), text);
    // By default, this way as well.
    assert_eq!(outbox.publish(Noted { n: 1 }).await.unwrap_err().to_string(), text);
    let run = outbox.run(async |_: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        let elsewhere = tokio::spawn(async { publish(Noted { n: 2 }) }).await?;
        assert!(matches!(elsewhere.unwrap_err(), Error::NoUnitOfWork { topic: "test.noted" }));
        publish(Noted { n: 3 })?;
        outbox.publish(Noted { n: 4 }).await?;
        Ok(())
    });
    run.await.unwrap();
    // Nor is the unit of work still there when it is over.
    assert!(publish(Noted { n: 5 }).is_err());
    Scene::<H>::settle(&outbox).await;
    let mut noted: Vec<i64> = scene.note.done.all().into_iter().map(|event| event.n).collect();
    noted.sort_unstable();
    assert_eq!(noted, [3, 4]);
}

// Invariant 15.
pub async fn outside_an_event_may_have_a_transaction_of_its_own<H: Harness>() {
    let scene = Scene::<H>::new().await;
    scene.note.gate.close();
    let policy = OutsideUnitOfWork::OwnTransaction;
    let outbox = scene.process().await.outside_unit_of_work(policy).handler::<note>().start_idle().await.unwrap();
    outbox.publish(Noted { n: 1 }).await.unwrap();
    assert_eq!(outbox.waiting().await.unwrap(), 1);
    // Inside a unit of work it is part of that.
    let run = outbox.run(async |_: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        outbox.publish(Noted { n: 2 }).await?;
        anyhow::bail!("rolled back")
    });
    run.await.unwrap_err();
    assert_eq!(outbox.waiting().await.unwrap(), 1);
    scene.note.gate.open();
    Scene::<H>::settle(&outbox).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 1 }]);
}

// Invariant 15.
pub async fn outside_an_event_may_be_sent_without_being_stored<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let policy = OutsideUnitOfWork::SendNow;
    let process = scene.process().await.outside_unit_of_work(policy).handler::<note>().handler::<H::Book>();
    let outbox = process.start_idle().await.unwrap();
    outbox.publish(Noted { n: 1 }).await.unwrap();
    assert_eq!(scene.note.done.all(), [Noted { n: 1 }], "when it returns, it has happened");
    scene.note.faults.next(1, Fault::Retryable);
    assert_eq!(
        outbox.publish(Noted { n: 2 }).await.unwrap_err().to_string(),
        "the event on topic `test.noted` was not stored, and sending it to `note` failed: a fault on command"
    );
    let error = outbox.publish(Booked { n: 3 }).await.unwrap_err().to_string();
    assert!(error.contains("it needs a stored delivery; publish it with `OutsideUnitOfWork::OwnTransaction`"), "{error}");
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap(), outbox.in_flight()), (vec![], 0, 0));
}

// Invariant 20.
pub async fn a_payload_over_the_limit_is_refused_at_publish<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.max_payload(8).handler::<note>().start_idle().await.unwrap();
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        uow.publish(Noted { n: 12 })?;
        let error = publish(Noted { n: 123 }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the event on topic `test.noted` has 9 bytes, more than the limit of 8; publish a reference to the data instead, or raise \
             `.max_payload(..)` on the outbox builder"
        );
        Ok(())
    });
    run.await.unwrap();
    Scene::<H>::settle(&outbox).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 12 }], "what was refused does not hurt the rest");
}

// Invariant 20.
pub async fn a_key_over_the_limit_is_refused_at_publish<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<follow>().start_idle().await.unwrap();
    let step = || Publication::of(Stepped { line: 1, step: 1 });
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        uow.publish_with(step().key("ü".repeat(127)))?;
        uow.publish_with(step().key("ü".repeat(128)))?;
        Ok(())
    });
    let error = run.await.unwrap_err();
    assert!(matches!(kind_of(&error), Error::KeyTooLong { size: 256, .. }));
    assert_eq!(
        error.to_string(),
        "the key of the event on topic `test.stepped` has 256 bytes, more than the limit of 255; use a shorter key, such as an id"
    );
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish_with(step().key("a\0b")));
    let error = run.await.unwrap_err();
    assert!(matches!(error, Error::KeyWithNul { .. }), "{error}");
    assert_eq!(outbox.waiting().await.unwrap(), 0);
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| uow.publish_with(step().key("ü".repeat(127))));
    run.await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), Scene::<H>::settle(&outbox)).await.unwrap();
    assert_eq!(scene.follow.done.len(), 1);
}
