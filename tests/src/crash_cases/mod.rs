//! What every database must stand: processes killed, servers crashed, connections cut, answers lost, eight relays, no deadlock.
//!
//! Each is short by default; the environment makes it long: see the constant of the case.

mod bindings;
mod commit_unknown;
mod connections_cut;
mod deadlocks;
mod eight_relays;
mod server_restarts;
mod sigkill;

pub use commit_unknown::{
    a_commit_without_an_answer_is_unknown_and_the_scanner_delivers_what_was_committed,
    handlers_whose_commit_has_no_answer_have_their_effect_once, under_load_lost_commits_and_answers_lose_and_invent_nothing,
};
pub use connections_cut::connections_cut_ten_times_a_second_lose_and_invent_nothing;
pub use deadlocks::writers_with_overlapping_keys_and_handlers_that_publish_never_deadlock;
pub use eight_relays::eight_relays_deliver_each_event_once_and_in_order;
pub use server_restarts::a_server_that_crashes_loses_and_invents_nothing;
pub use sigkill::processes_killed_at_random_moments_lose_and_invent_nothing;

use crate::shop::Site;
use events_core::test_kit::wait_until_within;
use events_sqlx::Backend;
use rand::Rng;
use sqlx::Pool;
use std::time::Duration;

/// A number from the environment.
pub(crate) fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// What the dice of a case start from; printed, so that it can be repeated.
fn seed() -> u64 {
    let seed = from_env("CRASH_SEED", rand::rng().random_range(0..1_000_000));
    println!("CRASH_SEED={seed}");
    seed
}

/// A fresh site with counters for so many keys, and a pool that only looks on.
async fn open<S: Site>(keys: i64) -> (S, Pool<S::Db>) {
    let site = S::open().await;
    let witness = S::connect(&site.url(), 4, S::WITNESS);
    let counters: Vec<String> = (0..keys).map(|k| format!("({k}, 0)")).collect();
    let fill = format!("INSERT INTO counter (k, step) VALUES {}", counters.join(", "));
    S::Db::execute(&mut *witness.acquire().await.unwrap(), fill).await.unwrap();
    (site, witness)
}

/// How many deliveries are not settled.
async fn waiting<S: Site>(witness: &Pool<S::Db>) -> i64 {
    let mut conn = witness.acquire().await.unwrap();
    S::rows(&mut conn, "SELECT count(*) FROM outbox".into()).await.unwrap()[0][0].unwrap()
}

/// Waits until everything is settled. If it is not by then, the books tell what is missing.
async fn drained<S: Site>(witness: &Pool<S::Db>, deadline: Duration) {
    wait_until_within(deadline, async || waiting::<S>(witness).await == 0).await;
}
