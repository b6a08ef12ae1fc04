//! Invariant 1: an event row exists if and only if its transaction committed.

use crate::events::{Noted, copy, note};
use crate::{Harness, Scene};
use anyhow::bail;
use events_core::publish;
use events_sqlx::{Outbox, UnitOfWork};
use std::task::Poll;
use std::time::Duration;

async fn start<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    scene.note.gate.close();
    scene.process().await.handler::<note>().start_idle().await.unwrap()
}

/// Writes and publishes `n`.
async fn work<H: Harness>(uow: &mut UnitOfWork<H::Db>, n: i64) -> anyhow::Result<()> {
    Scene::<H>::write(uow.conn(), n).await?;
    publish(Noted { n })?;
    Ok(())
}

// Invariant 1.
pub async fn rows_and_events_are_there_if_and_only_if_their_transaction_committed<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    for n in 0..10 {
        let outcome = outbox.run(async |uow: &mut UnitOfWork<H::Db>| {
            work::<H>(uow, n).await?;
            if n % 2 == 1 { bail!("an odd number") } else { Ok(n) }
        });
        assert_eq!(outcome.await.is_ok(), n % 2 == 0);
    }
    assert_eq!(scene.business().await, [0, 2, 4, 6, 8]);
    let events: Vec<Noted> =
        Scene::<H>::waiting(&outbox).await.into_iter().map(|waiting| waiting.envelope.unwrap().open().unwrap()).collect();
    assert_eq!(events, [0, 2, 4, 6, 8].map(|n| Noted { n }));
}

// Invariant 1.
pub async fn a_panic_rolls_back_rows_and_events<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let at_work = outbox.clone();
    let panicked = tokio::spawn(async move {
        at_work
            .run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
                work::<H>(uow, 1).await?;
                panic!("on purpose")
            })
            .await
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![], 0));
    // The connection is usable again.
    outbox.run(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 2).await).await.unwrap();
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![2], 1));
}

// Invariant 1.
pub async fn a_cancelled_unit_of_work_leaves_nothing<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let hanging = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<()> {
        work::<H>(uow, 1).await?;
        std::future::pending().await
    });
    tokio::time::timeout(Duration::from_millis(100), hanging).await.unwrap_err();
    outbox.run(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 2).await).await.unwrap();
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![2], 1));
}

// Invariant 1.
pub async fn a_dropped_unit_of_work_leaves_nothing<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    for n in 0..3 {
        let mut uow = outbox.begin().await.unwrap();
        Scene::<H>::write(uow.conn(), n).await.unwrap();
        uow.publish(Noted { n }).unwrap();
        match n {
            0 => drop(uow),
            1 => uow.rollback().await.unwrap(),
            _ => uow.commit().await.unwrap(),
        }
    }
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![2], 1));
}

// Invariant 1.
pub async fn nothing_is_written_before_commit_and_then_all_at_once<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().handler::<copy>().start_idle().await.unwrap();
    scene.note.gate.close();
    scene.copy.gate.close();
    let before = outbox.run(async |uow: &mut UnitOfWork<H::Db>| -> anyhow::Result<Vec<i64>> {
        for n in 0..40 {
            work::<H>(uow, n).await?;
        }
        Ok(H::numbers(uow.conn(), "SELECT count(*) FROM outbox".into()).await?)
    });
    assert_eq!(before.await.unwrap(), [0]);
    assert_eq!(outbox.waiting().await.unwrap(), 80);
    // All rows of a commit carry the lease that was taken for it.
    assert_eq!(scene.numbers("SELECT count(DISTINCT lease_token) FROM outbox").await, [1]);
}

// Invariant 1.
pub async fn a_unit_of_work_begun_by_hand_commits_its_events<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let mut uow = outbox.begin().await.unwrap();
    Scene::<H>::write(uow.conn(), 1).await.unwrap();
    uow.publish(Noted { n: 1 }).unwrap();
    uow.commit().await.unwrap();
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![1], 1));
}

// Invariant 1.
pub async fn an_enlisted_transaction_commits_its_events<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    let pool = scene.harness.connect().await;
    for n in 0..2 {
        let mut tx = pool.begin().await.unwrap();
        Scene::<H>::write(&mut tx, n).await.unwrap();
        let uow = outbox.enlist(tx);
        uow.publish(Noted { n }).unwrap();
        if n == 0 { uow.rollback().await.unwrap() } else { uow.commit().await.unwrap() }
    }
    assert_eq!((scene.business().await, outbox.waiting().await.unwrap()), (vec![1], 1));
    scene.note.gate.open();
    scene.note.done.wait_for(1, Duration::from_secs(10)).await;
}

// Invariant 1.
pub async fn a_unit_of_work_cancelled_at_any_moment_is_there_as_a_whole_or_not_at_all<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = start(&scene).await;
    // After its first, second, .. step, and each of them several times: the database may have got further than the step shows.
    for n in 0..300 {
        let run = outbox.run(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, n).await);
        cancelled_after(n / 5, run).await;
    }
    outbox.run(async |uow: &mut UnitOfWork<H::Db>| work::<H>(uow, 300).await).await.unwrap();
    let mut published: Vec<i64> =
        Scene::<H>::waiting(&outbox).await.into_iter().map(|waiting| waiting.envelope.unwrap().open::<Noted>().unwrap().n).collect();
    published.sort_unstable();
    assert_eq!(published, scene.business().await);
    assert!((1..301).contains(&published.len()), "{} of 301 were committed", published.len());
}

/// Polls `future` at most so often and then drops it.
async fn cancelled_after<F: Future>(polls: i64, future: F) {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        future.as_mut().poll(cx).map(drop)
    })
    .await;
}
