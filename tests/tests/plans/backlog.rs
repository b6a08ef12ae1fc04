//! A long backlog: ten targets, some of them with something due, most of it waiting for its time or for its line.

use events_core::RelayOptions;
use events_sqlx::{Backend, Outbox};
use events_tests::events::{follow, note};
use events_tests::{Harness, Scene};

/// How many rows a short backlog has, to which a long one is compared.
pub(crate) const SHORT: u64 = 10_000;
/// How many deliveries, leases or lines a statement is given.
pub(crate) const BATCH: usize = 100;
/// How many keys there are; see `fill/`.
pub(crate) const KEYS: u64 = 50_000;

/// A number from the environment.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// How many rows a long backlog has.
pub(crate) fn long() -> u64 {
    number("PLAN_ROWS", 1_000_000)
}

/// The names of the targets.
pub(crate) fn targets() -> Vec<String> {
    (0..10).map(|n| if n == 0 { "note".to_owned() } else { format!("target_{n}") }).collect()
}

/// An outbox that nothing runs on by itself.
pub(crate) async fn idle<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    let limits = RelayOptions { hand_over: 0, ..RelayOptions::default() };
    scene.process().await.relay(limits).handler::<note>().handler::<follow>().start_idle().await.unwrap()
}

/// Fills an outbox with `rows` deliveries by the statements of `fill`, after those of `before`.
pub(crate) async fn fill<H: Harness>(scene: &Scene<H>, before: &str, fill: &str, rows: u64) {
    let pool = scene.harness.connect().await;
    let mut conn = pool.acquire().await.unwrap();
    H::Db::execute(&mut conn, before.to_owned()).await.unwrap();
    H::Db::execute(&mut conn, format!("BEGIN; {} COMMIT;", fill.replace("{rows}", &rows.to_string()))).await.unwrap();
}

/// The statement of a file.
pub(crate) fn statement<DB: Backend>(outbox: &Outbox<DB>, name: &str) -> String {
    outbox.statements().into_iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no statement `{name}`")).1
}
