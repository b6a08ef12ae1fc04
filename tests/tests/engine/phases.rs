//! The phases that run in memory: before commit, after rollback, after completion.

use events_core::test_kit::{Seen, wait_until};
use events_core::{
    Completion, DomainEvent, Error, Metadata, State, after_commit, after_completion, after_rollback, before_commit, publish,
};
use events_sqlx::sqlite::{Outbox, OutboxBuilder, UnitOfWork};
use events_tests::events::{Booked, Noted, note};
use events_tests::{Harness, OnSqlite, Scene, kind_of};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// An order with a rule that must hold at COMMIT. Declared by hand, as everything that only one test binary has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Ordered {
    n: i64,
}

impl DomainEvent for Ordered {
    const TOPIC: &'static str = "test.ordered";
    const LOCAL: bool = true;
}

#[derive(Debug, thiserror::Error)]
#[error("{0} orders are too many")]
struct TooMany(i64);

/// Sees what its unit of work wrote, writes itself, and publishes.
#[before_commit(manual)]
async fn check(event: &Ordered, uow: &mut UnitOfWork, State(checked): State<Seen<i64>>) -> Result<(), events_core::DeliveryError> {
    checked.push(event.n);
    let count = OnSqlite::numbers(uow.conn(), "SELECT count(*) FROM business".into()).await.unwrap()[0];
    match event.n {
        // Publishes itself anew, for ever.
        -1 => drop(publish(Ordered { n: -1 })?),
        // Publishes one that publishes one, and so on, to an end.
        1_001..=1_010 => drop(publish(Ordered { n: event.n - 1 })?),
        -2 => panic!("on purpose"),
        _ if count > 2 => return Err(TooMany(count).into()),
        n => {
            Scene::<OnSqlite>::write(uow.conn(), 100 + n).await?;
            publish(Noted { n })?;
            uow.publish(Noted { n: n + 1_000 })?;
        }
    }
    Ok(())
}

type Rollbacks = Seen<i64>;

#[derive(Clone, Default)]
struct RolledBack(Rollbacks);

#[after_rollback(manual)]
async fn regret(event: Ordered, meta: Metadata, State(RolledBack(seen)): State<RolledBack>) -> Result<(), std::fmt::Error> {
    assert_eq!((&*meta.topic, meta.attempt), ("test.ordered", 1));
    seen.push(event.n);
    if event.n == 13 { panic!("a handler of this phase that panics hurts nobody") } else { Err(std::fmt::Error) }
}

#[after_completion(manual)]
async fn told(event: Ordered, completion: Completion, State(seen): State<Seen<(i64, Completion)>>) {
    seen.push((event.n, completion));
}

#[after_commit(manual)]
async fn deliver(event: Ordered, State(seen): State<Seen<Ordered>>) {
    seen.push(event);
}

struct Stage {
    scene: Scene<OnSqlite>,
    checked: Seen<i64>,
    rolled_back: Rollbacks,
    told: Seen<(i64, Completion)>,
    delivered: Seen<Ordered>,
}

impl Stage {
    async fn new() -> Self {
        let scene = Scene::new().await;
        Self { scene, checked: Seen::new(), rolled_back: Rollbacks::new(), told: Seen::new(), delivered: Seen::new() }
    }

    async fn process(&self) -> OutboxBuilder {
        self.scene
            .process()
            .await
            .event::<Ordered>()
            .state(self.checked.clone())
            .state(RolledBack(self.rolled_back.clone()))
            .state(self.told.clone())
            .state(self.delivered.clone())
    }

    async fn checking(&self) -> Outbox {
        self.process().await.handler::<check>().handler::<note>().handler::<deliver>().start().await.unwrap()
    }

    async fn telling(&self) -> Outbox {
        self.process().await.handler::<regret>().handler::<told>().handler::<deliver>().start().await.unwrap()
    }
}

async fn order(uow: &mut UnitOfWork, n: i64) -> anyhow::Result<()> {
    Scene::<OnSqlite>::write(uow.conn(), n).await?;
    publish(Ordered { n })?;
    Ok(())
}

#[tokio::test]
async fn a_handler_before_commit_writes_and_publishes_in_the_same_transaction() {
    let stage = Stage::new().await;
    let outbox = stage.checking().await;
    outbox.run(async |uow| order(uow, 1).await).await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!(stage.scene.business().await, [1, 101]);
    assert_eq!(stage.scene.note.done.all(), [Noted { n: 1 }, Noted { n: 1_001 }]);
    assert_eq!((stage.checked.all(), stage.delivered.all()), (vec![1], vec![Ordered { n: 1 }]));
}

#[tokio::test]
async fn an_error_before_commit_rolls_everything_back_and_reaches_the_caller() {
    let stage = Stage::new().await;
    let outbox = stage.checking().await;
    let error = outbox
        .run(async |uow| {
            order(uow, 1).await?;
            Scene::<OnSqlite>::write(uow.conn(), 2).await?;
            order(uow, 3).await
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the handler `check` refused to commit the event on topic `test.ordered`");
    assert_eq!(kind_of(&error).report(), format!("{error}: 3 orders are too many"));
    let refusal = error.downcast::<Error>().unwrap().refusal::<TooMany>().unwrap();
    assert_eq!(refusal.0, 3);
    assert_eq!((stage.scene.business().await, outbox.waiting().await.unwrap()), (vec![], 0));
    assert!(stage.delivered.is_empty() && stage.scene.note.begun.is_empty());
    // The next unit of work is none the worse for it.
    outbox.run(async |uow| order(uow, 1).await).await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
}

#[tokio::test]
async fn a_panic_before_commit_rolls_everything_back() {
    let stage = Stage::new().await;
    let outbox = stage.checking().await;
    let at_work = outbox.clone();
    let panicked = tokio::spawn(async move { at_work.run(async |uow| order(uow, -2).await).await });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!((stage.scene.business().await, outbox.waiting().await.unwrap()), (vec![], 0));
    outbox.run(async |uow| order(uow, 1).await).await.unwrap();
}

#[tokio::test]
async fn handlers_before_commit_that_cause_each_other_without_end_are_stopped() {
    let stage = Stage::new().await;
    let outbox = stage.checking().await;
    let error = outbox.run(async |uow| order(uow, -1).await).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`#[before_commit]` handlers kept publishing for 32 rounds; the last event was on topic `test.ordered`; break the cycle"
    );
    assert_eq!((stage.checked.len(), stage.scene.business().await, outbox.waiting().await.unwrap()), (32, vec![], 0));
    // A chain that ends is no cycle.
    outbox.run(async |uow| order(uow, 1_010).await).await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!(stage.delivered.len(), 11);
}

#[tokio::test]
async fn after_completion_is_told_how_the_unit_of_work_ended_and_after_rollback_only_of_rollbacks() {
    let stage = Stage::new().await;
    let outbox = stage.telling().await;
    outbox.run(async |uow| order(uow, 1).await).await.unwrap();
    let failed = outbox.run(async |uow| -> anyhow::Result<()> {
        order(uow, 2).await?;
        anyhow::bail!("no")
    });
    failed.await.unwrap_err();
    drop(by_hand(&outbox, 3).await);
    let hanging = outbox.run(async |uow| {
        order(uow, 4).await?;
        std::future::pending::<anyhow::Result<()>>().await
    });
    tokio::time::timeout(Duration::from_millis(50), hanging).await.unwrap_err();
    by_hand(&outbox, 5).await.rollback().await.unwrap();
    by_hand(&outbox, 6).await.commit().await.unwrap();
    let mut told = stage.told.wait_for(6, SOON).await;
    told.sort_unstable_by_key(|(n, _)| *n);
    use Completion::{Committed, RolledBack};
    assert_eq!(told, [(1, Committed), (2, RolledBack), (3, RolledBack), (4, RolledBack), (5, RolledBack), (6, Committed)]);
    let mut rolled_back = stage.rolled_back.wait_for(4, SOON).await;
    rolled_back.sort_unstable();
    assert_eq!(rolled_back, [2, 3, 4, 5]);
    let mut delivered: Vec<i64> = stage.delivered.wait_for(2, SOON).await.into_iter().map(|event| event.n).collect();
    delivered.sort_unstable();
    assert_eq!(delivered, [1, 6]);
}

async fn by_hand(outbox: &Outbox, n: i64) -> UnitOfWork {
    let uow = outbox.begin().await.unwrap();
    uow.publish(Ordered { n }).unwrap();
    uow
}

#[tokio::test]
async fn a_rolled_back_savepoint_counts_as_a_rollback_even_if_the_rest_commits() {
    let stage = Stage::new().await;
    let outbox = stage.telling().await;
    let run = outbox.run(async |uow| {
        order(uow, 1).await?;
        let undone = uow.savepoint(async |uow| -> anyhow::Result<()> {
            order(uow, 2).await?;
            anyhow::bail!("no")
        });
        undone.await.unwrap_err();
        Ok::<_, anyhow::Error>(())
    });
    run.await.unwrap();
    let mut told = stage.told.wait_for(2, SOON).await;
    told.sort_unstable_by_key(|(n, _)| *n);
    assert_eq!(told, [(1, Completion::Committed), (2, Completion::RolledBack)]);
    assert_eq!((stage.rolled_back.all(), stage.scene.business().await), (vec![2], vec![1]));
}

#[tokio::test]
async fn a_handler_after_rollback_that_panics_hurts_nobody() {
    let stage = Stage::new().await;
    let outbox = stage.telling().await;
    for n in [13, 14] {
        drop(by_hand(&outbox, n).await);
    }
    wait_until("both were told", async || stage.told.len() == 2).await;
    outbox.run(async |uow| order(uow, 1).await).await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
}

#[tokio::test]
async fn a_commit_that_the_database_refuses_is_a_rollback() {
    let stage = Stage::new().await;
    let outbox = stage.telling().await;
    stage.scene.execute("CREATE TABLE child (n INTEGER REFERENCES business (n) DEFERRABLE INITIALLY DEFERRED)").await;
    let run = outbox.run(async |uow| {
        order(uow, 1).await?;
        sqlx::query("INSERT INTO child VALUES (99)").execute(uow.conn()).await?;
        Ok(())
    });
    let error: anyhow::Error = run.await.unwrap_err();
    let report = kind_of(&error).report();
    assert!(report.starts_with("the outbox failed while committing; nothing was committed"), "{report}");
    assert!(report.contains("FOREIGN KEY constraint failed"), "{report}");
    assert_eq!(stage.told.wait_for(1, SOON).await, [(1, Completion::RolledBack)]);
    assert_eq!(stage.rolled_back.all(), [1]);
    assert_eq!((stage.scene.business().await, outbox.waiting().await.unwrap(), outbox.in_flight()), (vec![], 0, 0));
    outbox.run(async |uow| order(uow, 2).await).await.unwrap();
    assert_eq!(stage.delivered.wait_for(1, SOON).await, [Ordered { n: 2 }]);
}

/// In a handler's own unit of work the phases are those of every other one.
#[after_commit(manual)]
async fn reorder(event: Booked, uow: &mut UnitOfWork) -> Result<(), Error> {
    uow.publish(Ordered { n: event.n })?;
    Ok(())
}

#[tokio::test]
async fn a_handler_s_own_unit_of_work_has_the_same_phases() {
    let stage = Stage::new().await;
    let process = stage.process().await.handler::<reorder>().handler::<check>().handler::<told>().handler::<note>().handler::<deliver>();
    let outbox = process.start().await.unwrap();
    outbox.run(async |uow| uow.publish(Booked { n: 5 })).await.unwrap();
    assert_eq!(stage.told.wait_for(1, SOON).await, [(5, Completion::Committed)]);
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!((stage.scene.business().await, stage.checked.all()), (vec![105], vec![5]));
}
