//! SIGKILL at random moments of processes that publish and relay.

use super::{drained, from_env, open, seed};
use crate::shop::{Blow, Books, Habits, Keeper, Orders, Recoveries, Site};
use events_core::test_kit::wait_until;
use events_sqlx::Backend;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// What may come on top of lease and poll interval: a new process starts, on a machine with other things to do.
const SLACK: Duration = Duration::from_secs(2);

/// `CRASH_ROUNDS` (5) kills; by hand 50.
///
/// # Panics
/// Something was lost, invented, out of order, told twice without a reason, or came too late.
pub async fn processes_killed_at_random_moments_lose_and_invent_nothing<S: Site>(shopkeeper: &str) {
    let (rounds, seed) = (from_env("CRASH_ROUNDS", 5), seed());
    let mut dice = StdRng::seed_from_u64(seed);
    let orders = |keeper| Orders::of(keeper, seed).selling(Habits::default());
    let lease = orders(0).lease;
    let (site, witness) = open::<S>(orders(0).keys).await;
    let (url, logs) = (site.url(), tempfile::tempdir().unwrap());
    let at_once = if S::Db::SINGLE_WRITER { 1 } else { 2 };
    let hire = |keeper| Keeper::hire::<S>(shopkeeper, &url, &orders(keeper), &logs);

    let (mut next, mut keepers, mut blows) = (at_once, (0..at_once).map(hire).collect::<Vec<_>>(), Vec::new());
    let mut heard = crate::shop::Heard::default();
    wait_until("the first processes have opened", async || keepers.iter().all(Keeper::is_open)).await;
    let limit = lease + orders(0).poll.mul_f64(1.25) + SLACK;
    for round in 0..rounds {
        // This is no wait for something to happen: the moment of the kill is what is drawn at random.
        tokio::time::sleep(dice.random_range(Duration::from_millis(20)..lease * 2)).await;
        let victim = keepers.swap_remove(dice.random_range(0..keepers.len()));
        let (said, blow) = victim.kill();
        heard.add(said);
        blows.push(blow);
        keepers.push(hire(next));
        next += 1;
        if round % 3 == 0 {
            // Time for everything to come back, so that what comes too late is seen; otherwise the next kill may be to blame.
            tokio::time::sleep(limit).await;
        }
    }
    // The last ones live on until everything is told.
    wait_until("the last processes have opened", async || keepers.iter().all(Keeper::is_open)).await;
    keepers.iter_mut().for_each(Keeper::stop_selling);
    wait_until("nobody sells", async || keepers.iter().all(Keeper::is_quiet)).await;
    drained::<S>(&witness, lease + SLACK + Duration::from_secs(20)).await;
    keepers.into_iter().for_each(|keeper| heard.add(keeper.dismiss()));

    let books = Books::read::<S>(&witness).await;
    let duplicates = books.verify(&orders(0), &heard.sales, &blows, heard.lease_lost);
    let recoveries = Recoveries::of(&books, &orders(0), &blows);
    println!("{}: kills={} facts={} calls={} {duplicates}", S::NAME, blows.len(), books.facts(), books.calls());
    println!("{}: lease={lease:?} poll={:?} {recoveries}", S::NAME, orders(0).poll);
    recoveries.within(limit).unwrap_or_else(|late| panic!("{late}"));
    assert!(heard.sales.len() > 5 * rounds as usize, "enough was sold: {}", heard.sales.len());
    let killed = |blow: &&Blow| matches!(blow, Blow::Killed { .. });
    assert_eq!(blows.iter().filter(killed).count(), rounds as usize);
}
