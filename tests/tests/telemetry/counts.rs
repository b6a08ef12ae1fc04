//! What happens is counted, once.

use crate::recorder::Recorder;
use events_core::metric::{ALL, BACKLOG, BLOCKED_KEYS, DEAD_LETTERS, Metric, OLDEST_AGE, ORPHANED, Unit};
use events_core::test_kit::{Fault, Faults, ScriptedTransport, wait_until};
use events_core::{DomainEvent, Envelope, Error, EventId, Headers, Outcome, RelayOptions};
use events_sqlx::sqlite::UnitOfWork;
use events_tests::events::{Booked, Noted, Sent, note, pick};
use events_tests::post::Post;
use events_tests::{Broken, FaultyStore, HalfMemory, OnSqlite, Scene, Troubles, kind_of};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

const LEASE: Duration = Duration::from_secs(30);

/// What only the relay daemon looks for in the database.
const OF_THE_DAEMON: [Metric; 5] = [BACKLOG, OLDEST_AGE, DEAD_LETTERS, BLOCKED_KEYS, ORPHANED];

fn expected(counts: &[(&str, f64)]) -> BTreeMap<String, f64> {
    counts.iter().map(|(series, value)| ((*series).to_owned(), *value)).collect()
}

#[tokio::test]
async fn a_success_a_retry_a_dead_letter_and_a_lost_lease_are_counted_exactly() {
    let recorder = Recorder::default();
    let _here = metrics::set_default_local_recorder(&recorder);
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.timeless().await.name("shop").handler::<note>().start_idle().await.unwrap();
    let other = scene.timeless().await.name("other").handler::<note>().start_idle().await.unwrap();
    assert_eq!(recorder.not_zero(), BTreeMap::new(), "nothing has happened yet");

    Scene::<OnSqlite>::publish(&outbox, [1]).await;
    Scene::<OnSqlite>::settle(&outbox).await;
    scene.note.faults.next(1, Fault::Retryable);
    Scene::<OnSqlite>::publish(&outbox, [2]).await;
    Scene::<OnSqlite>::settle(&outbox).await;
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(outbox.relay().scan().await.unwrap(), 1);
    Scene::<OnSqlite>::settle(&outbox).await;
    scene.note.faults.next(1, Fault::Terminal);
    Scene::<OnSqlite>::publish(&outbox, [3]).await;
    Scene::<OnSqlite>::settle(&outbox).await;
    scene.note.gate.close();
    Scene::<OnSqlite>::publish(&outbox, [4]).await;
    scene.note.begun.wait_for(5, LEASE).await;
    let in_flight = "outbox_in_flight{outbox=shop,target=note}";
    assert_eq!(recorder.not_zero().get(in_flight), Some(&1.0), "it is under way");
    scene.clock.advance(LEASE);
    let taken = Scene::<OnSqlite>::lease(&other, "note", 1, LEASE).await.remove(0);
    scene.note.gate.open();
    Scene::<OnSqlite>::settle(&outbox).await;
    assert!(other.store().settle(&[Scene::<OnSqlite>::settlement(&taken, Outcome::Delivered)]).await.unwrap().lost.is_empty());

    let counted = expected(&[
        ("outbox_commit_seconds{outbox=shop}", 4.0),
        ("outbox_dead_total{outbox=shop,target=note,reason=terminal}", 1.0),
        ("outbox_delivered_total{outbox=shop,target=note,source=memory}", 1.0),
        ("outbox_delivered_total{outbox=shop,target=note,source=scanner}", 1.0),
        ("outbox_delivery_latency_seconds{outbox=shop,target=note}", 2.0),
        ("outbox_handler_seconds{outbox=shop,target=note}", 5.0),
        ("outbox_lease_lost_total{outbox=shop,target=note}", 1.0),
        ("outbox_published_total{outbox=shop,topic=test.noted}", 4.0),
        ("outbox_retried_total{outbox=shop,target=note}", 1.0),
        ("outbox_settle_seconds{outbox=shop}", 5.0),
    ]);
    assert_eq!(recorder.not_zero(), counted);
    let stats = outbox.stats();
    assert_eq!((stats.delivered_from_memory, stats.delivered_by_scanner, stats.retried, stats.dead, stats.lease_lost), (1, 1, 1, 1, 1));
}

#[tokio::test]
async fn what_rolls_back_is_not_counted_as_published() {
    let recorder = Recorder::default();
    let _here = metrics::set_default_local_recorder(&recorder);
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.timeless().await.handler::<note>().start_idle().await.unwrap();
    let rolled_back = outbox.run(async |uow: &mut UnitOfWork| -> anyhow::Result<()> {
        uow.publish(Noted { n: 1 })?;
        anyhow::bail!("no")
    });
    assert!(rolled_back.await.is_err());
    // At the last moment, when everything was planned.
    let ended = outbox.run(async |uow: &mut UnitOfWork| -> anyhow::Result<()> {
        uow.publish(Noted { n: 2 })?;
        sqlx::query("ROLLBACK").execute(uow.conn()).await?;
        Ok(())
    });
    let error = ended.await.unwrap_err();
    assert!(matches!(kind_of(&error), Error::TransactionEnded { .. }), "{error}");
    assert_eq!(recorder.not_zero(), BTreeMap::new());
}

fn quick() -> RelayOptions {
    RelayOptions {
        poll: Duration::from_millis(20),
        lease: Duration::from_secs(1),
        maintenance: Duration::from_millis(30),
        ..Default::default()
    }
}

/// Everything that can happen to a delivery on its way out.
async fn deliveries(scene: &Scene<OnSqlite>) {
    let (troubles, faults) = (Troubles::default(), Faults::none());
    troubles.next("lease", [Broken::Error, Broken::Panic]);
    let radio = ScriptedTransport::new("radio", faults.clone());
    let process = scene.process().await.name("out").relay(RelayOptions { hand_over: 0, ..quick() });
    let process = process.handler::<note>().event::<Sent>().transport(radio).wrap_store(FaultyStore::wrap);
    let outbox = troubles.during(process.start()).await.unwrap();
    scene.note.faults.next(1, Fault::Panic);
    scene.note.faults.next(1, Fault::Terminal);
    Scene::<OnSqlite>::publish(&outbox, [1, 2, 3]).await;
    faults.next(1, Fault::Unavailable);
    outbox.run(async |uow: &mut UnitOfWork| uow.publish(Sent { line: 1, step: 1 })).await.unwrap();
    Scene::<OnSqlite>::until_delivered(&outbox).await;
    wait_until("all loops have succeeded", async || outbox.health().iter().filter(|health| health.last_success.is_some()).count() >= 4)
        .await;
    outbox.shutdown().await;
}

/// A lease that is lost while its delivery is under way.
async fn a_lost_lease(scene: &Scene<OnSqlite>) {
    let outbox = scene.timeless().await.handler::<note>().start_idle().await.unwrap();
    scene.note.gate.close();
    Scene::<OnSqlite>::publish(&outbox, [4]).await;
    scene.note.begun.wait_for(1, LEASE).await;
    scene.clock.advance(LEASE);
    Scene::<OnSqlite>::lease(&outbox, "note", 1, LEASE).await;
    scene.note.gate.open();
    Scene::<OnSqlite>::settle(&outbox).await;
}

/// Transactions of a broker with two phases: one that it hears of, and one that it asks about.
async fn two_phases(scene: &Scene<OnSqlite>) {
    let half = HalfMemory::default();
    let outbox = scene.process().await.event::<Sent>().two_phase(half.clone()).start_idle().await.unwrap();
    half.telling().next(1, Fault::Unavailable);
    for line in [1, 2] {
        outbox.run(async |uow: &mut UnitOfWork| uow.publish(Sent { line, step: 1 })).await.unwrap();
        wait_until("the broker was told", async || outbox.in_flight() == 0).await;
    }
    half.ask_all().await;
}

/// An event from a broker that comes twice.
async fn receptions(scene: &Scene<OnSqlite>) {
    let post = Post::default();
    let outbox = scene.process().await.name("in").handler::<pick>().subscribe("suite", post.subscribe()).start().await.unwrap();
    let event = Arc::new(Envelope {
        id: EventId::now(),
        topic: Booked::TOPIC.into(),
        version: 1,
        key: None,
        occurred_at: OffsetDateTime::now_utc(),
        source: "/elsewhere".into(),
        content_type: "application/json".into(),
        headers: Headers::new(),
        payload: "{\"n\":7}".into(),
    });
    for times in 1..=2 {
        post.deliver(&event);
        wait_until("it is answered", async || post.answers.len() >= times && outbox.in_flight() == 0).await;
    }
    outbox.shutdown().await;
}

#[tokio::test]
async fn every_metric_of_the_table_is_emitted_with_its_kind_and_its_labels() {
    let recorder = Recorder::default();
    let _here = metrics::set_default_local_recorder(&recorder);
    deliveries(&Scene::new().await).await;
    a_lost_lease(&Scene::new().await).await;
    two_phases(&Scene::new().await).await;
    receptions(&Scene::new().await).await;

    let emitted = recorder.all();
    for metric in ALL.iter().filter(|metric| !OF_THE_DAEMON.contains(metric)) {
        let mut of_it = emitted.iter().filter(|(series, _)| series.name == metric.name);
        assert!(of_it.any(|(_, record)| record.most > 0.0), "{} was never emitted", metric.name);
    }
    for (series, record) in &emitted {
        let metric = ALL.iter().find(|metric| metric.name == series.name).unwrap_or_else(|| panic!("{series:?} is not in the table"));
        let labels: Vec<_> = series.labels.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((record.kind, &*labels), (metric.kind.as_str(), metric.labels), "{series:?}");
    }
    for metric in ALL {
        let unit = match metric.unit {
            Unit::Seconds => metrics::Unit::Seconds,
            _ => metrics::Unit::Count,
        };
        let said = recorder.description(metric.name);
        assert_eq!(said, Some((metric.kind.as_str(), Some(unit), metric.help.to_owned())), "{}", metric.name);
    }
    let paused = |(series, _): &(&crate::recorder::Series, _)| series.name == "outbox_target_paused";
    assert!(emitted.iter().filter(paused).all(|(_, record)| record.value == 0.0), "the transport is back");
    let in_flight = emitted.iter().filter(|(series, _)| series.name == "outbox_in_flight");
    assert!(in_flight.clone().count() > 0 && in_flight.clone().all(|(_, record)| record.value == 0.0), "{emitted:?}");
    let now = OffsetDateTime::now_utc().unix_timestamp() as f64;
    let last = emitted.iter().find(|(series, _)| {
        series.name == "outbox_loop_last_success_timestamp_seconds" && series.labels.contains(&("loop".into(), "scanner".into()))
    });
    assert!((now - last.unwrap().1.value).abs() < 60.0, "seconds after the epoch: {last:?}");
}

#[tokio::test]
async fn loops_that_do_not_run_have_no_metrics() {
    let recorder = Recorder::default();
    let _here = metrics::set_default_local_recorder(&recorder);
    let scene = Scene::<OnSqlite>::new().await;
    let outbox = scene.process().await.handler::<note>().publish_only().start().await.unwrap();
    let loops: Vec<_> =
        recorder.all().into_keys().filter(|series| series.name == "outbox_loop_restarts_total").map(|series| series.labels).collect();
    let expected =
        ["announcer", "reporter"].map(|name| [("outbox".to_owned(), "default".to_owned()), ("loop".to_owned(), name.to_owned())]);
    assert_eq!(loops, expected);
    outbox.shutdown().await;
}
