//! What a leader does that the database does not let lead.

use events_core::test_kit::wait_until;
use events_core::{LoopHealth, RelayOptions};
use events_sqlx::sqlite::Outbox;
use events_tests::events::note;
use events_tests::{Broken, FaultyStore, OnSqlite, Scene, Troubles};
use std::time::{Duration, Instant};

const LEASE: Duration = Duration::from_millis(600);

fn exclusive() -> RelayOptions {
    RelayOptions {
        exclusive: true,
        hand_over: 0,
        lease: LEASE,
        poll: Duration::from_millis(20),
        maintenance: Duration::from_millis(50),
        ..RelayOptions::default()
    }
}

async fn start(scene: &Scene<OnSqlite>, troubles: &Troubles, limits: RelayOptions) -> Outbox {
    let process = scene.process().await.relay(limits).handler::<note>().wrap_store(FaultyStore::wrap);
    troubles.during(process.start()).await.unwrap()
}

fn health(outbox: &Outbox, name: &str) -> LoopHealth {
    outbox.health().into_iter().find(|health| health.name == name).unwrap()
}

#[tokio::test]
async fn a_leader_that_cannot_renew_stops_scanning_when_its_lease_ends_and_not_before() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    let outbox = start(&scene, &troubles, exclusive()).await;
    wait_until("it leads and scans", async || troubles.calls("lease") >= 3).await;
    troubles.next("lead", [Broken::Error; 10_000]);
    let cut_off = Instant::now();
    let scans = || troubles.calls("lease");
    // Its last renewal is at most a third of the lease plus two beats old.
    let before = scans();
    wait_until("it goes on scanning under the lease it has", async || scans() > before).await;
    assert!(cut_off.elapsed() < LEASE / 3, "{:?}", cut_off.elapsed());

    let other = start(&scene, &Troubles::default(), exclusive()).await;
    wait_until("the other has taken over", async || {
        let scanner = health(&other, "scanner");
        scanner.last_success.is_some() && !scanner.standby
    })
    .await;
    assert!(cut_off.elapsed() <= LEASE + Duration::from_millis(500), "{:?}", cut_off.elapsed());
    let stopped = scans();
    Scene::<OnSqlite>::publish(&outbox, 0..10).await;
    Scene::<OnSqlite>::until_delivered(&other).await;
    assert_eq!((scans(), outbox.stats().delivered_by_scanner, other.stats().delivered_by_scanner), (stopped, 0, 10));
    assert!(health(&outbox, "scanner").failures >= 1, "it says that it cannot lead");
}

#[tokio::test]
async fn a_leader_that_another_one_replaced_stands_by_at_its_next_renewal() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    let outbox = start(&scene, &troubles, RelayOptions { lease: Duration::from_secs(6), ..exclusive() }).await;
    // Both leads: what has no row yet cannot be taken from it.
    wait_until("it leads", async || troubles.calls("lease") >= 1 && scene.count("relay_lease").await == 2).await;
    // Somebody took the lead by hand.
    scene.execute("UPDATE relay_lease SET token = randomblob(16), expires_at = expires_at + 60000").await;
    wait_until("it stands by", async || health(&outbox, "scanner").standby && health(&outbox, "maintenance").standby).await;
}

#[tokio::test]
async fn what_is_leased_is_still_delivered_and_settled_by_a_leader_that_lost_the_lead() {
    let scene = Scene::<OnSqlite>::new().await;
    let troubles = Troubles::default();
    scene.note.gate.close();
    let outbox = start(&scene, &troubles, exclusive()).await;
    Scene::<OnSqlite>::publish(&outbox, 0..5).await;
    scene.note.begun.wait_for(5, Duration::from_secs(10)).await;
    troubles.next("lead", [Broken::Error; 10_000]);
    wait_until("it leads no longer", async || health(&outbox, "scanner").failures >= 1).await;
    scene.note.gate.open();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    assert_eq!((outbox.stats().delivered_by_scanner, outbox.stats().lease_lost, scene.note.begun.len()), (5, 0, 5));
}

#[tokio::test]
async fn another_leads_while_a_shutdown_still_waits_for_deliveries() {
    let (scene, lease) = (Scene::<OnSqlite>::new().await, Duration::from_secs(600));
    scene.note.gate.close();
    let limits = RelayOptions { lease, ..exclusive() };
    let outbox = start(&scene, &Troubles::default(), limits.clone()).await;
    Scene::<OnSqlite>::publish(&outbox, [1]).await;
    scene.note.begun.wait_for(1, Duration::from_secs(10)).await;
    let other = start(&scene, &Troubles::default(), limits).await;
    wait_until("it stands by", async || ["scanner", "maintenance"].iter().all(|name| health(&other, name).standby)).await;
    let closing = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.shutdown_within(Duration::from_secs(60)).await }
    });
    wait_until("the other leads", async || ["scanner", "maintenance"].iter().all(|name| !health(&other, name).standby)).await;
    assert!(!closing.is_finished() && outbox.in_flight() == 1);
    scene.note.gate.open();
    assert_eq!(closing.await.unwrap(), 0);
    assert_eq!((outbox.stats().delivered_by_scanner, other.stats().delivered_by_scanner), (1, 0));
}

#[tokio::test]
async fn a_shutdown_is_not_held_up_by_a_lead_that_cannot_be_resigned() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    let outbox = start(&scene, &troubles, RelayOptions { lease: Duration::from_secs(30), ..exclusive() }).await;
    wait_until("it leads", async || troubles.calls("purge") >= 1 && troubles.calls("lease") >= 1).await;
    troubles.next("resign", [Broken::Hang; 10]);
    let begun = Instant::now();
    outbox.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(troubles.calls("resign") >= 2, "both leads were to be resigned");
}

#[tokio::test]
async fn announcements_that_fail_are_counted_and_ignored() {
    let (scene, troubles) = (Scene::<OnSqlite>::new().await, Troubles::default());
    troubles.next("announce", [Broken::Error, Broken::Panic]);
    troubles.next("listen", [Broken::Error, Broken::Panic]);
    let outbox = start(&scene, &troubles, RelayOptions { hand_over: 0, ..RelayOptions::default() }).await;
    for n in 0..3 {
        Scene::<OnSqlite>::publish(&outbox, [n]).await;
        wait_until("it was announced", async || troubles.calls("announce") > n as usize).await;
    }
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    wait_until("it listens again", async || troubles.calls("listen") >= 3).await;
    let (announcer, listener) = (health(&outbox, "announcer"), health(&outbox, "listener"));
    assert_eq!(((announcer.failures, announcer.restarts), (listener.failures, listener.restarts)), ((1, 1), (1, 1)));
    assert!(announcer.last_success.is_some());
}
