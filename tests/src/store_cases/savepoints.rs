//! Invariant 13: a savepoint's rollback undoes exactly its events and its writes; units of work do not nest.

use crate::events::{Noted, note};
use crate::{Harness, Scene, kind_of};
use anyhow::bail;
use events_core::{Error, publish};
use events_sqlx::{Backend, Outbox, UnitOfWork};
use std::time::Duration;

async fn start<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    scene.note.gate.close();
    scene.process().await.handler::<note>().start_idle().await.unwrap()
}

async fn work<H: Harness>(uow: &mut UnitOfWork<H::Db>, n: i64) -> anyhow::Result<()> {
    Scene::<H>::write(uow.conn(), n).await?;
    publish(Noted { n })?;
    Ok(())
}

async fn published<H: Harness>(outbox: &Outbox<H::Db>) -> Vec<i64> {
    let open = |waiting: events_sqlx::Waiting| waiting.envelope.unwrap().open::<Noted>().unwrap().n;
    Scene::<H>::waiting(outbox).await.into_iter().map(open).collect()
}

// Invariant 13.
pub async fn a_rolled_back_savepoint_undoes_exactly_its_events_and_its_writes<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        work::<H>(uow, 1).await?;
        let undone = uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
            work::<H>(uow, 2).await?;
            bail!("undo this")
        });
        assert_eq!(undone.await.unwrap_err().to_string(), "undo this");
        work::<H>(uow, 3).await?;
        uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 4).await).await?;
        work::<H>(uow, 5).await
    });
    run.await.unwrap();
    assert_eq!(scene.business().await, [1, 3, 4, 5]);
    assert_eq!(published::<H>(&outbox).await, [1, 3, 4, 5]);
}

// Invariant 13.
pub async fn savepoints_nest<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| {
            work::<H>(uow, 1).await?;
            let undone = uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
                work::<H>(uow, 2).await?;
                uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 3).await).await?;
                bail!("undo the second and the third")
            });
            undone.await.unwrap_err();
            work::<H>(uow, 4).await
        })
        .await?;
        let undone = uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
            uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 5).await).await?;
            bail!("undo a savepoint that was released")
        });
        undone.await.unwrap_err();
        work::<H>(uow, 6).await
    });
    run.await.unwrap();
    assert_eq!(scene.business().await, [1, 4, 6]);
    assert_eq!(published::<H>(&outbox).await, [1, 4, 6]);
}

// Invariant 13.
pub async fn an_abandoned_savepoint_poisons_its_unit_of_work<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        work::<H>(uow, 1).await?;
        let slow = uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
            work::<H>(uow, 2).await?;
            std::future::pending().await
        });
        tokio::time::timeout(Duration::from_millis(50), slow).await.unwrap_err();
        // Another savepoint at the same level is refused, instead of seeming to work.
        let next = uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 4).await).await;
        assert!(matches!(kind_of(&next.unwrap_err()), Error::AbandonedSavepoint));
        work::<H>(uow, 3).await
    });
    let error = run.await.unwrap_err();
    assert!(matches!(kind_of(&error), Error::AbandonedSavepoint));
    assert_eq!(
        error.to_string(),
        "a savepoint was abandoned half-way (its future was dropped, by a timeout or `select!`); the unit of work is rolled back, \
         nothing was committed"
    );
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![], 0));
}

// Invariant 13.
pub async fn an_abandoned_savepoint_poisons_a_unit_of_work_without_events_too<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        let slow = uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
            Scene::<H>::write(uow.conn(), 1).await?;
            std::future::pending().await
        });
        tokio::time::timeout(Duration::from_millis(50), slow).await.unwrap_err();
        Ok(())
    });
    assert!(matches!(kind_of(&run.await.unwrap_err()), Error::AbandonedSavepoint));
    assert!(scene.business().await.is_empty());
}

// Invariant 13.
pub async fn an_abandoned_savepoint_poisons_the_one_around_it<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        let outer = uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
            let slow = uow.savepoint(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
                work::<H>(uow, 1).await?;
                std::future::pending().await
            });
            tokio::time::timeout(Duration::from_millis(50), slow).await.unwrap_err();
            Ok(())
        });
        assert!(matches!(kind_of(&outer.await.unwrap_err()), Error::AbandonedSavepoint));
        // Going on as if nothing had happened does not help.
        work::<H>(uow, 2).await
    });
    assert!(matches!(kind_of(&run.await.unwrap_err()), Error::AbandonedSavepoint));
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![], 0));
}

// Invariant 13.
pub async fn a_unit_of_work_inside_another_is_refused_with_the_cure<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        work::<H>(uow, 1).await?;
        let inner = outbox.run(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 2).await);
        let error = inner.await.unwrap_err();
        assert!(matches!(kind_of(&error), Error::NestedUnitOfWork));
        assert!(error.to_string().contains("`uow.savepoint(..)`") && error.to_string().contains("`run_independent(..)`"));
        Ok(())
    });
    run.await.unwrap();
    assert_eq!((scene.business().await, published::<H>(&outbox).await), (vec![1], vec![1]));
}

// Invariant 13.
pub async fn an_independent_unit_of_work_commits_on_its_own<H: Harness>() {
    let (scene, elsewhere) = (Scene::<H>::new().await, Scene::<H>::new().await);
    let (outbox, other) = (start(&scene).await, start(&elsewhere).await);
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        work::<H>(uow, 1).await?;
        other.run_independent(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 2).await).await?;
        // What is published now belongs to the outer one again.
        publish(Noted { n: 3 })?;
        bail!("the outer one fails")
    });
    run.await.unwrap_err();
    assert_eq!((scene.business().await, published::<H>(&outbox).await), (vec![], vec![]));
    assert_eq!((elsewhere.business().await, published::<H>(&other).await), (vec![2], vec![2]));
}

// Invariant 13.
pub async fn an_independent_unit_of_work_in_the_same_database_needs_a_second_writer<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        work::<H>(uow, 1).await?;
        outbox.run_independent(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 2).await).await?;
        bail!("the outer one fails")
    });
    let error = run.await.unwrap_err();
    if <H::Db as Backend>::SINGLE_WRITER {
        assert!(matches!(kind_of(&error), Error::SingleWriter { .. }));
        assert!(error.to_string().contains("lets one transaction write at a time") && error.to_string().contains("`uow.savepoint(..)`"));
        assert_eq!((scene.business().await, published::<H>(&outbox).await), (vec![], vec![]));
    } else {
        assert_eq!((scene.business().await, published::<H>(&outbox).await), (vec![2], vec![2]));
    }
}
