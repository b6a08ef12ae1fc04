//! The installed outbox: the one of `UnitOfWork::run`. A test binary of its own, because a process has only one.
#![allow(clippy::unwrap_used)]

use events_core::test_kit::Seen;
use events_core::{Error, EventId, State, after_commit, domain_event, publish};
use events_sqlx::sqlite::{Outbox, OutboxBuilder, UnitOfWork, connect};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Duration};

#[domain_event(topic = "install.rang", local)]
#[derive(Serialize, Deserialize)]
struct Rang {
    n: i64,
}

/// Linked into the program, and so found without being named.
#[after_commit]
async fn hear(event: Rang, State(heard): State<Seen<i64>>) {
    heard.push(event.n);
}

async fn process(folder: &Path, name: &str, heard: &Seen<i64>) -> OutboxBuilder {
    Outbox::builder(connect(folder.join(name)).await.unwrap()).state(heard.clone())
}

async fn ring(n: i64) -> Result<(), Error> {
    UnitOfWork::run(async |_| publish(Rang { n })).await.map(drop)
}

// One test, because what is installed belongs to the process.
#[tokio::test]
async fn the_installed_outbox_is_that_of_every_unit_of_work_until_it_is_replaced_or_shut_down() {
    const NOT_INSTALLED: &str =
        "no SQLite outbox is installed; call `Outbox::builder(pool).install().await` at start-up, or use `outbox.run(..)`";
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Seen::new(), Seen::new());
    let soon = Duration::from_secs(10);

    assert_eq!(ring(0).await.unwrap_err().to_string(), NOT_INSTALLED);
    assert_eq!(UnitOfWork::begin().await.unwrap_err().to_string(), NOT_INSTALLED);

    let one = process(folder.path(), "one.db", &first).await.install().await.unwrap();
    ring(1).await.unwrap();
    let uow = UnitOfWork::begin().await.unwrap();
    uow.publish(Rang { n: 2 }).unwrap();
    uow.commit().await.unwrap();
    let tx = connect(folder.path().join("one.db")).await.unwrap().begin().await.unwrap();
    let uow = UnitOfWork::enlist(tx).unwrap();
    uow.publish(Rang { n: 3 }).unwrap();
    uow.commit().await.unwrap();
    let independent: Result<EventId, Error> = UnitOfWork::run_independent(async |_| publish(Rang { n: 4 })).await;
    independent.unwrap();
    let mut heard = first.wait_for(4, soon).await;
    heard.sort_unstable();
    assert_eq!(heard, [1, 2, 3, 4]);

    // A second one is refused, and has started nothing.
    let error = process(folder.path(), "two.db", &second).await.install().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a SQLite outbox is already installed; use `.install_replacing()` to take its place, or `.start()` and `outbox.run(..)` to have several"
    );
    // Next to it there may be others, which are not the one of `UnitOfWork::run`.
    let beside = process(folder.path(), "two.db", &second).await.start().await.unwrap();
    beside.run(async |_| publish(Rang { n: 5 })).await.unwrap();
    ring(6).await.unwrap();
    assert_eq!((second.wait_for(1, soon).await, first.wait_for(5, soon).await[4]), (vec![5], 6));
    beside.shutdown().await;
    ring(7).await.unwrap();
    first.wait_for(6, soon).await;

    // Unless it says that it replaces.
    let two = process(folder.path(), "two.db", &second).await.install_replacing().await.unwrap();
    ring(8).await.unwrap();
    assert_eq!(second.wait_for(2, soon).await, [5, 8]);
    // The first one goes on running, and its end does not uninstall its successor.
    one.run(async |_| publish(Rang { n: 9 })).await.unwrap();
    assert_eq!(first.wait_for(7, soon).await[6], 9);
    one.shutdown().await;
    ring(10).await.unwrap();
    second.wait_for(3, soon).await;

    two.shutdown().await;
    assert_eq!(ring(11).await.unwrap_err().to_string(), NOT_INSTALLED);
    let three = process(folder.path(), "one.db", &first).await.install().await.unwrap();
    ring(12).await.unwrap();
    assert_eq!(first.wait_for(8, soon).await[7], 12);
    three.shutdown().await;
}
