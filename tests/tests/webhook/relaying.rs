//! From units of work through the outbox to the receiver.

use super::receiver::{Answer, Receiver, answers, says};
use super::{SECRET, builder};
use events_core::test_kit::wait_until;
use events_core::{Backoff, RetryPolicy};
use events_mq::webhook::{Verifier, Webhook};
use events_sqlx::{Filter, Outbox, UnitOfWork};
use events_tests::events::{Noted, Sent, note};
use events_tests::{Gate, OnSqlite, Scene};
use sqlx::Sqlite;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use std::time::Duration;

type OnScene = Scene<OnSqlite>;

const MILLI: Duration = Duration::from_millis(1);

async fn publish(outbox: &Outbox<Sqlite>, line: i64, steps: std::ops::Range<i64>) {
    for step in steps {
        outbox.run(async |uow: &mut UnitOfWork<Sqlite>| uow.publish(Sent { line, step })).await.unwrap();
    }
}

/// The events that were taken or not, in the order in which they came.
fn seen(receiver: &Receiver) -> Vec<Sent> {
    let verifier = Verifier::new([SECRET]).unwrap();
    let requests = receiver.requests.all().into_iter();
    requests.map(|request| verifier.verify(&request.headers, &request.body).unwrap().open().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_tried_by_the_schedule_and_then_a_dead_letter() {
    let scene = OnScene::new().await;
    let receiver = Receiver::start(|_| says(500, "not today")).await;
    // The outbox's own policy is another one.
    let own = RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(MILLI));
    let outbox = scene.timeless().await.retry(own).transport(builder(&receiver.url()).build().unwrap()).start_idle().await.unwrap();
    publish(&outbox, 1, 0..1).await;
    OnScene::settle(&outbox).await;
    for (failed, wait) in (1..).zip([15, 60, 600, 3_600, 21_600].map(Duration::from_secs)) {
        assert_eq!(receiver.requests.len(), failed);
        scene.clock.advance(wait - MILLI);
        assert_eq!(outbox.relay().scan().await.unwrap(), 0, "one millisecond too early for attempt {}", failed + 1);
        scene.clock.advance(MILLI);
        assert_eq!(outbox.relay().scan().await.unwrap(), 1);
        OnScene::settle(&outbox).await;
    }
    assert_eq!((receiver.requests.len(), outbox.waiting().await.unwrap()), (6, 0));
    let ids: std::collections::HashSet<_> = receiver.requests.all().iter().map(|request| request.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1, "all attempts have the id of the event");
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!((&*letter.target, &*letter.reason, letter.attempts), ("transport:webhook", "exhausted", 6));
    assert!(letter.failures.iter().all(|failure| failure.error.contains("500") && failure.error.contains("not today")), "{letter:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_away_burns_attempts_and_its_dead_letters_can_be_sent_again() {
    let scene = OnScene::new().await;
    let is_there = Arc::new(AtomicBool::new(false));
    let receiver = Receiver::start({
        let is_there = Arc::clone(&is_there);
        move |_| if is_there.load(Relaxed) { says(200, "") } else { Answer::Hangup }
    })
    .await;
    let webhook = builder(&receiver.url()).name("shop").build().unwrap();
    let outbox = scene.timeless().await.transport(webhook).start_idle().await.unwrap();
    publish(&outbox, 1, 0..2).await;
    OnScene::settle(&outbox).await;
    for wait in Webhook::SCHEDULE.iter().chain(Webhook::SCHEDULE) {
        scene.clock.advance(*wait);
        OnScene::drain(&outbox).await;
    }
    scene.clock.advance(Duration::from_secs(60));
    OnScene::drain(&outbox).await;
    let stats = outbox.stats();
    assert_eq!((outbox.waiting().await.unwrap(), stats.dead, stats.retried, stats.paused), (0, 2, 10, 0), "{stats:?}");
    assert!(
        seen(&receiver).iter().map(|sent| sent.step).eq([0; 6].into_iter().chain([1; 6])),
        "a key keeps its order: {:?}",
        seen(&receiver)
    );

    is_there.store(true, Relaxed);
    assert_eq!(outbox.dead_letters().redrive(&Filter::all().target("transport:shop")).await.unwrap(), 2);
    OnScene::drain(&outbox).await;
    assert_eq!((outbox.waiting().await.unwrap(), outbox.dead_count().await.unwrap()), (0, 0));
    assert!(seen(&receiver)[12..].iter().map(|sent| sent.step).eq([0, 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_waits_as_long_as_the_receiver_asks() {
    let scene = OnScene::new().await;
    let receiver = Receiver::start(|_| answers(429, "retry-after: 100\r\n", "")).await;
    let outbox = scene.timeless().await.transport(builder(&receiver.url()).build().unwrap()).start_idle().await.unwrap();
    publish(&outbox, 1, 0..1).await;
    OnScene::settle(&outbox).await;
    scene.clock.advance(Duration::from_secs(100) - MILLI);
    assert_eq!(outbox.relay().scan().await.unwrap(), 0);
    scene.clock.advance(MILLI);
    assert_eq!(outbox.relay().scan().await.unwrap(), 1);
    OnScene::settle(&outbox).await;
    assert_eq!(receiver.requests.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_no_more_events_gets_dead_letters() {
    let scene = OnScene::new().await;
    let receiver = Receiver::start(|_| says(410, "")).await;
    let outbox = scene.timeless().await.transport(builder(&receiver.url()).build().unwrap()).start_idle().await.unwrap();
    publish(&outbox, 1, 0..1).await;
    OnScene::settle(&outbox).await;
    let letter = outbox.dead_letters().list(&Filter::all()).await.unwrap().remove(0);
    assert_eq!((&*letter.reason, letter.attempts), ("terminal", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_answers_badly_and_slowly_gets_everything_in_the_order_of_each_key() {
    const LINES: i64 = 10;
    const STEPS: i64 = 20;
    let scene = OnScene::new().await;
    let dice = std::sync::atomic::AtomicU64::new(0);
    let receiver = Receiver::start(move |_| match dice.fetch_add(1, Relaxed) % 7 {
        2 => says(500, ""),
        4 => Answer::Hangup,
        _ => says(200, ""),
    })
    .await;
    let quick = RetryPolicy::default().attempts(100).backoff(Backoff::Fixed(Duration::from_millis(5)));
    let webhook = builder(&receiver.url()).retry(quick).build().unwrap();
    let outbox = scene.process().await.transport(webhook).start().await.unwrap();
    for step in 0..STEPS {
        for line in 0..LINES {
            publish(&outbox, line, step..step + 1).await;
        }
    }
    OnScene::until_delivered(&outbox).await;
    let stats = outbox.stats();
    assert!(stats.dead == 0 && stats.paused == 0 && stats.retried > 0, "{stats:?}");
    let seen = seen(&receiver);
    for line in 0..LINES {
        let mut steps: Vec<i64> = seen.iter().filter(|sent| sent.line == line).map(|sent| sent.step).collect();
        // What is tried again comes again, and nothing comes before it was taken.
        steps.dedup();
        assert!(steps.iter().copied().eq(0..STEPS), "line {line} came as {steps:?}");
    }
    outbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outbox_has_so_many_requests_under_way_and_settles_each_by_itself() {
    let scene = OnScene::new().await;
    let gate = Gate::default();
    gate.close();
    let receiver = Receiver::start({
        let gate = gate.clone();
        move |request| {
            let first = events_mq::webhook::from_json(&request.body).unwrap().open::<Sent>().unwrap().line == 0;
            if first { Answer::Nothing } else { Answer::SaysAt(gate.clone(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()) }
        }
    })
    .await;
    let webhook = builder(&receiver.url()).concurrency(6).build().unwrap();
    let outbox = scene.process().await.transport(webhook).start().await.unwrap();
    for line in 0..40 {
        publish(&outbox, line, 0..1).await;
    }
    wait_until("as many requests as may be are under way", async || receiver.under_way() == 6).await;
    gate.open();
    // The one that is not answered holds up none of them, nor their settlements.
    wait_until("all others are settled", async || outbox.waiting().await.unwrap() == 1).await;
    assert_eq!((receiver.most_under_way(), receiver.requests.len()), (6, 40));
    outbox.shutdown_within(Duration::from_millis(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_never_answers_holds_up_no_other_target() {
    let scene = OnScene::new().await;
    let receiver = Receiver::start(|_| Answer::Nothing).await;
    let webhook = builder(&receiver.url()).build().unwrap();
    let outbox = scene.process().await.transport(webhook).handler::<note>().start().await.unwrap();
    for n in 0..200 {
        let both = async |uow: &mut UnitOfWork<Sqlite>| {
            uow.publish(Noted { n })?;
            uow.publish(Sent { line: n, step: 0 })
        };
        outbox.run(both).await.unwrap();
    }
    scene.note.done.wait_for(200, Duration::from_secs(10)).await;
    wait_until("all of them are settled", async || outbox.waiting().await.unwrap() == 200).await;
    assert!(receiver.most_under_way() <= 8);
    outbox.shutdown_within(Duration::from_millis(10)).await;
}
