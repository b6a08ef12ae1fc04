//! Units of work with other than the default settings.

use crate::events::{Noted, note};
use crate::{Harness, Scene, kind_of};
use events_core::Error;
use events_sqlx::{Backend, UnitOfWork};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub async fn a_unit_of_work_that_takes_too_long_is_rolled_back<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    let run = outbox.options().timeout(Duration::from_millis(100)).run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        Scene::<H>::write(uow.conn(), 1).await?;
        events_core::publish(Noted { n: 1 })?;
        std::future::pending().await
    });
    let error = run.await.unwrap_err();
    assert!(matches!(kind_of(&error), Error::UnitOfWorkTimeout { .. }), "{error:?}");
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![], 0));
    // In time it is as any other.
    let run = outbox.options().timeout(Duration::from_secs(30)).run(async |_: &mut UnitOfWork<H::Db>| events_core::publish(Noted { n: 2 }));
    run.await.unwrap();
    scene.note.done.wait_for(1, Duration::from_secs(30)).await;
}

/// Two units of work read a number and write one more, at the same time; serializable, one of them has to be repeated.
pub async fn units_of_work_that_collide_are_repeated_and_lose_nothing<H: Harness>() {
    const WORKERS: i64 = 8;
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    scene.execute("INSERT INTO business (n, step) VALUES (1, 0)").await;
    let runs = AtomicU32::new(0);
    let one_more = async || -> anyhow::Result<()> {
        let settings = outbox.options().isolation(events_sqlx::Isolation::Serializable).retry_serialization(100);
        let run = settings.run_dyn(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
            runs.fetch_add(1, Ordering::Relaxed);
            let step = H::numbers(uow.conn(), "SELECT step FROM business WHERE n = 1".into()).await?[0];
            tokio::task::yield_now().await;
            H::Db::execute(uow.conn(), format!("UPDATE business SET step = {} WHERE n = 1", step + 1)).await?;
            events_core::publish(Noted { n: step + 1 })?;
            Ok(())
        });
        run.await
    };
    let all = futures_util::future::join_all((0..WORKERS).map(|_| one_more())).await;
    all.into_iter().collect::<anyhow::Result<Vec<()>>>().unwrap();
    assert_eq!(scene.numbers("SELECT step FROM business").await, [WORKERS]);
    let repeated = runs.into_inner() > WORKERS as u32;
    assert!(repeated || H::Db::SINGLE_WRITER, "nothing collided, so nothing was put to the test");
    Scene::<H>::until_delivered(&outbox).await;
    let mut noted: Vec<i64> = scene.note.done.all().into_iter().map(|event| event.n).collect();
    noted.sort_unstable();
    assert_eq!(noted, (1..=WORKERS).collect::<Vec<_>>(), "one event for each that was committed, none for those that were repeated");
}

pub async fn what_is_no_collision_is_not_repeated<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start().await.unwrap();
    let runs = AtomicU32::new(0);
    let run = outbox.options().retry_serialization(3).run_dyn(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        runs.fetch_add(1, Ordering::Relaxed);
        Scene::<H>::write(uow.conn(), 1).await?;
        Ok(Scene::<H>::write(uow.conn(), 1).await?)
    });
    run.await.unwrap_err();
    assert_eq!((runs.into_inner(), scene.business().await), (1, vec![]));
}
