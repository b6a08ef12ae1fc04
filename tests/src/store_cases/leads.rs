//! The leader lease: one of all processes maintains, and scans if scanners are exclusive; another takes over when it ends.

use crate::events::{Noted, note};
use crate::{FaultyStore, Harness, Scene, Troubles};
use events_core::{LeaseToken, LoopHealth, RelayOptions, test_kit::wait_until};
use events_sqlx::Outbox;
use std::time::{Duration, Instant};

const LEASE: Duration = Duration::from_secs(30);
const MILLISECOND: Duration = Duration::from_millis(1);

async fn idle<H: Harness>(scene: &Scene<H>) -> Outbox<H::Db> {
    scene.timeless().await.handler::<note>().start_idle().await.unwrap()
}

async fn leads<H: Harness>(outbox: &Outbox<H::Db>, name: &str, token: LeaseToken) -> bool {
    outbox.store().lead(name, token, LEASE).await.unwrap()
}

fn health<H: Harness>(outbox: &Outbox<H::Db>, name: &str) -> LoopHealth {
    outbox.health().into_iter().find(|health| health.name == name).unwrap()
}

/// Waits until both scanners, or maintainers, have had a turn; returns the leader first.
async fn in_order<H: Harness>(one: Outbox<H::Db>, other: Outbox<H::Db>, name: &str) -> (Outbox<H::Db>, Outbox<H::Db>) {
    wait_until("one leads and the other stands by", async || {
        let turns = [&one, &other].map(|outbox| health::<H>(outbox, name));
        turns.iter().all(|turn| turn.last_success.is_some()) && turns[0].standby != turns[1].standby
    })
    .await;
    if health::<H>(&one, name).standby { (other, one) } else { (one, other) }
}

fn exclusive(lease: Duration) -> RelayOptions {
    RelayOptions { exclusive: true, hand_over: 0, lease, poll: Duration::from_millis(50), ..RelayOptions::default() }
}

pub async fn a_lead_is_held_until_it_runs_out_and_is_renewed_and_resigned_by_its_token_alone<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let (one, other) = (idle(&scene).await, idle(&scene).await);
    let (mine, theirs) = (LeaseToken::fresh(), LeaseToken::fresh());
    assert!(leads::<H>(&one, "a", mine).await);
    assert!(!leads::<H>(&other, "a", theirs).await, "it is taken");
    assert!(leads::<H>(&other, "b", theirs).await, "another lead is another matter");

    scene.clock.advance(LEASE - MILLISECOND);
    assert!(leads::<H>(&one, "a", mine).await, "it is renewed");
    scene.clock.advance(LEASE - MILLISECOND);
    assert!(!leads::<H>(&other, "a", theirs).await, "the renewal counts");
    other.store().resign("a", theirs).await.unwrap();
    assert!(!leads::<H>(&other, "a", theirs).await, "nobody resigns for another");

    scene.clock.advance(MILLISECOND);
    assert!(leads::<H>(&other, "a", theirs).await, "it has run out, by the clock of the database");
    assert!(!leads::<H>(&one, "a", mine).await, "who was late is out");
    one.store().resign("a", mine).await.unwrap();
    assert!(!leads::<H>(&one, "a", mine).await, "an old token resigns nothing");

    other.store().resign("a", theirs).await.unwrap();
    assert!(leads::<H>(&one, "a", mine).await, "what is resigned is free at once");
    let owner = "SELECT count(*) FROM relay_lease WHERE name = 'a' AND owner LIKE '%:%'";
    assert_eq!(scene.numbers(owner).await, [1], "people can see who leads");
}

pub async fn of_many_that_want_to_lead_at_once_exactly_one_does<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let mut candidates = Vec::new();
    for _ in 0..6 {
        candidates.push(idle(&scene).await);
    }
    for round in 0..10 {
        let attempts: Vec<_> = candidates
            .iter()
            .cloned()
            .map(|outbox| tokio::spawn(async move { leads::<H>(&outbox, &format!("round {round}"), LeaseToken::fresh()).await }))
            .collect();
        let mut leaders = 0;
        for attempt in attempts {
            leaders += usize::from(attempt.await.unwrap());
        }
        assert_eq!(leaders, 1);
    }
}

pub async fn without_a_clock_of_its_own_a_lead_runs_out_by_the_database_s<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let outbox = scene.process().await.handler::<note>().start_idle().await.unwrap();
    let (lease, begun) = (Duration::from_millis(300), Instant::now());
    assert!(outbox.store().lead("a", LeaseToken::fresh(), lease).await.unwrap());
    let next = LeaseToken::fresh();
    wait_until("the lead has run out", async || outbox.store().lead("a", next, lease).await.unwrap()).await;
    assert!(begun.elapsed() >= lease, "{:?}", begun.elapsed());
}

pub async fn of_exclusive_scanners_one_scans_and_another_takes_over_as_soon_as_it_is_shut_down<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let one = scene.process().await.relay(exclusive(LEASE)).handler::<note>().start().await.unwrap();
    let other = scene.process().await.relay(exclusive(LEASE)).handler::<note>().start().await.unwrap();
    let (leader, standby) = in_order::<H>(one, other, "scanner").await;
    for n in 0..20 {
        Scene::<H>::publish(if n % 2 == 0 { &leader } else { &standby }, [n]).await;
    }
    Scene::<H>::until_delivered(&leader).await;
    assert_eq!((leader.stats().delivered_by_scanner, standby.stats().delivered_by_scanner), (20, 0));

    let begun = Instant::now();
    leader.shutdown().await;
    Scene::<H>::publish(&leader, 20..30).await;
    Scene::<H>::until_delivered(&standby).await;
    assert!(begun.elapsed() < LEASE / 2, "nobody waited for the lease: {:?}", begun.elapsed());
    assert_eq!((standby.stats().delivered_by_scanner, health::<H>(&standby, "scanner").standby), (10, false));
}

pub async fn an_exclusive_scanner_takes_over_from_a_dead_one_within_lease_and_poll<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let dead = scene.process().await.handler::<note>().start_idle().await.unwrap();
    let (lease, begun) = (Duration::from_secs(2), Instant::now());
    assert!(dead.store().lead("scanner", LeaseToken::fresh(), lease).await.unwrap());
    let heir = scene.process().await.relay(exclusive(lease)).handler::<note>().start().await.unwrap();
    Scene::<H>::publish(&heir, [1]).await;
    wait_until("it stands by", async || health::<H>(&heir, "scanner").standby).await;
    Scene::<H>::until_delivered(&heir).await;
    // Half a second is for a machine that is busy.
    let (took, at_most) = (begun.elapsed(), lease + Duration::from_millis(50 + 500));
    assert!(took >= lease && took <= at_most, "{took:?}");
    // It keeps the lead for longer than one lease.
    let taken = Instant::now();
    let rival = LeaseToken::fresh();
    while taken.elapsed() < lease * 3 / 2 {
        assert!(!dead.store().lead("scanner", rival, lease).await.unwrap(), "the lead was not renewed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn who_stands_by_delivers_what_it_hands_over_from_memory<H: Harness>() {
    let scene = Scene::<H>::new().await;
    let limits = RelayOptions { hand_over: 100, ..exclusive(LEASE) };
    let one = scene.process().await.relay(limits.clone()).handler::<note>().start().await.unwrap();
    let other = scene.process().await.relay(limits).handler::<note>().start().await.unwrap();
    let (_leader, standby) = in_order::<H>(one, other, "scanner").await;
    Scene::<H>::publish(&standby, 0..10).await;
    Scene::<H>::until_delivered(&standby).await;
    assert_eq!((standby.stats().delivered_from_memory, standby.stats().delivered_by_scanner), (10, 0));
}

pub async fn only_the_leader_maintains_until_another_takes_over<H: Harness>() {
    let scene = Scene::<H>::new().await;
    // Nobody lives to see such a lease run out.
    let limits = RelayOptions { maintenance: Duration::from_millis(20), lease: LEASE * 20, ..RelayOptions::default() };
    let start = async |troubles: &Troubles| {
        let process = scene.process().await.relay(limits.clone()).handler::<note>().wrap_store(FaultyStore::wrap);
        troubles.during(process.start()).await.unwrap()
    };
    let (of_one, of_other) = (Troubles::default(), Troubles::default());
    let one = start(&of_one).await;
    wait_until("the first one maintains", async || of_one.calls("purge") >= 1).await;
    let other = start(&of_other).await;
    wait_until("the first one has gone on, and the other has had its turns", async || {
        of_one.calls("purge") >= 5 && of_other.calls("lead") >= 5
    })
    .await;
    assert_eq!(of_other.calls("purge"), 0);
    assert!(health::<H>(&other, "maintenance").standby && !health::<H>(&one, "maintenance").standby);

    other.maintain().await.unwrap();
    assert_eq!(of_other.calls("purge"), 1, "whoever asks for it by hand gets it");

    one.shutdown().await;
    wait_until("the other has taken over", async || of_other.calls("purge") >= 2).await;
    assert!(!health::<H>(&other, "maintenance").standby);
    Scene::<H>::publish(&other, [1]).await;
    scene.note.done.wait_for(1, LEASE).await;
    assert_eq!(scene.note.done.all(), [Noted { n: 1 }]);
}
