//! What brokers deliver has its effect exactly once.

use crate::events::{Booked, Noted, Stepped, note, pick, tread};
use crate::post::{Answered, Post};
use crate::{Harness, Scene};
use events_core::test_kit::{Fault, wait_until};
use events_core::{DomainEvent, Envelope, EventId, Headers};
use events_sqlx::{Backend, Outbox, OutboxBuilder};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;

/// An event as it comes from a broker.
pub(super) fn arrived<E: DomainEvent + Serialize>(event: &E, key: Option<String>) -> Arc<Envelope> {
    Arc::new(Envelope {
        id: EventId::now(),
        topic: E::TOPIC.into(),
        version: E::VERSION,
        key,
        occurred_at: OffsetDateTime::now_utc(),
        source: "/elsewhere".into(),
        content_type: "application/json".into(),
        headers: Headers::new(),
        payload: serde_json::to_vec(event).unwrap().into(),
    })
}

fn booked(n: i64) -> Arc<Envelope> {
    arrived(&Booked { n }, None)
}

/// A process that hears what `post` delivers.
async fn process<H: Harness>(scene: &Scene<H>, post: &Post) -> OutboxBuilder<H::Db> {
    scene.process().await.handler::<H::Take>().handler::<note>().subscribe("suite", post.subscribe())
}

pub(super) async fn idle<H: Harness>(outbox: &Outbox<H::Db>, post: &Post, answers: usize) {
    wait_until("everything is answered", async || post.answers.len() >= answers && outbox.in_flight() == 0).await;
}

pub async fn a_received_event_has_its_effect_once_however_often_it_comes<H: Harness>() {
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    let outbox = process(&scene, &post).await.start().await.unwrap();
    let event = booked(7);
    for times in 1..=3 {
        post.deliver(&event);
        idle::<H>(&outbox, &post, times).await;
    }
    assert_eq!(post.answers.all(), vec![Answered::Acked(event.id); 3]);
    assert_eq!(scene.book.begun.all(), [(Booked { n: 7 }, 1)], "it is called once");
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!((scene.business().await, scene.note.done.all()), (vec![7], vec![Noted { n: 7 }]));
    assert_eq!((outbox.stats().received, outbox.stats().duplicates, scene.count("inbox").await), (1, 2, 1));
    // Another process, later.
    outbox.shutdown().await;
    let later = process(&scene, &post).await.start().await.unwrap();
    post.deliver(&event);
    idle::<H>(&later, &post, 4).await;
    assert_eq!((later.stats().received, later.stats().duplicates), (0, 1));
}

pub async fn an_error_of_a_subscriber_undoes_everything_and_the_event_comes_again<H: Harness>() {
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    for fault in [Fault::Retryable, Fault::Panic] {
        scene.book.faults.next(2, fault);
    }
    let outbox = process(&scene, &post).await.start().await.unwrap();
    let event = booked(7);
    post.deliver(&event);
    idle::<H>(&outbox, &post, 5).await;
    // With a number that is there already, a write that was not undone would fail the next attempt.
    assert_eq!(scene.book.begun.all(), (1..=5).map(|attempt| (Booked { n: 7 }, attempt)).collect::<Vec<_>>());
    let answers = post.answers.all();
    assert!(answers[..4].iter().all(|answer| matches!(answer, Answered::Refused(..))), "{answers:?}");
    assert_eq!(answers[4..], [Answered::Acked(event.id)]);
    Scene::<H>::until_delivered(&outbox).await;
    assert_eq!((scene.business().await, scene.note.done.all()), (vec![7], vec![Noted { n: 7 }]));
    assert_eq!((outbox.stats().handler_panics, outbox.stats().received), (2, 1));
}

pub async fn what_no_repetition_can_mend_is_buried<H: Harness>() {
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    scene.book.faults.next(1, Fault::Terminal);
    let outbox = process(&scene, &post).await.start().await.unwrap();
    let refused = booked(7);
    post.deliver(&refused);
    idle::<H>(&outbox, &post, 1).await;
    let mut unreadable = (*booked(8)).clone();
    unreadable.payload = "{}".into();
    let mut strange = (*booked(9)).clone();
    strange.version = 0;
    let mut newer = (*booked(10)).clone();
    newer.version = 2;
    post.deliver(&Arc::new(unreadable));
    idle::<H>(&outbox, &post, 2).await;
    post.deliver(&Arc::new(strange));
    idle::<H>(&outbox, &post, 3).await;
    let answers = post.answers.all();
    assert!(answers.iter().all(|answer| matches!(answer, Answered::Buried(..))), "{answers:?}");
    post.deliver(&Arc::new(newer));
    wait_until("a newer process is waited for", async || {
        post.answers.all().iter().any(|answer| matches!(answer, Answered::Refused(_, reason) if reason.contains("newer process")))
    })
    .await;
    assert_eq!((scene.business().await, scene.count("inbox").await), (vec![], 0));
}

pub async fn of_two_events_with_the_same_business_key_one_has_an_effect<H: Harness>() {
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    let outbox = scene.process().await.handler::<pick>().subscribe("suite", post.subscribe()).start().await.unwrap();
    for (answers, n) in [7, 7, 8].into_iter().enumerate() {
        post.deliver(&booked(n));
        idle::<H>(&outbox, &post, answers + 1).await;
    }
    assert_eq!(scene.book.done.all(), [Booked { n: 7 }, Booked { n: 8 }]);
    assert_eq!((outbox.stats().received, outbox.stats().duplicates), (2, 1));
    let mut unreadable = (*booked(9)).clone();
    unreadable.payload = "{}".into();
    post.deliver(&Arc::new(unreadable));
    idle::<H>(&outbox, &post, 4).await;
    assert!(matches!(&post.answers.all()[3], Answered::Buried(..)), "{:?}", post.answers.all());
}

pub async fn what_nobody_of_the_group_takes_is_acknowledged<H: Harness>() {
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    let outbox = process(&scene, &post).await.start().await.unwrap();
    let other = arrived(&Noted { n: 1 }, None);
    post.deliver(&other);
    idle::<H>(&outbox, &post, 1).await;
    assert_eq!(post.answers.all(), [Answered::Acked(other.id)]);
    assert_eq!((scene.note.done.len(), scene.count("inbox").await), (0, 0));
}

pub async fn of_many_at_once_with_one_id_one_has_an_effect<H: Harness>() {
    const TIMES: usize = 16;
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    let first = process(&scene, &post).await.start().await.unwrap();
    let second = process(&scene, &post).await.start().await.unwrap();
    let event = booked(7);
    for _ in 0..TIMES {
        post.deliver(&event);
    }
    wait_until("all are acknowledged", async || {
        post.answers.all().iter().filter(|answer| matches!(answer, Answered::Acked(_))).count() == TIMES
    })
    .await;
    assert_eq!(first.stats().received + second.stats().received, 1);
    assert_eq!(scene.business().await, [7]);
}

pub async fn events_of_a_key_are_handled_one_after_the_other<H: Harness>() {
    // No more than the fewest connections that a store of the suite has.
    const LINES: i64 = 3;
    const STEPS: i64 = 20;
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    let outbox = scene.process().await.handler::<tread>().subscribe("suite", post.subscribe()).start().await.unwrap();
    scene.follow.gate.close();
    for step in 0..STEPS {
        for line in 0..LINES {
            post.deliver(&arrived(&Stepped { line, step }, Some(line.to_string())));
        }
    }
    // More than one of each line is here, and one of each is handled.
    wait_until("as many as may are received", async || outbox.in_flight() == 16).await;
    let at_once = if H::Db::SINGLE_WRITER { 1 } else { LINES as usize };
    wait_until("one of each line is handled", async || scene.follow.begun.len() >= at_once).await;
    assert_eq!(scene.follow.begun.len(), at_once);
    scene.follow.gate.open();
    idle::<H>(&outbox, &post, (LINES * STEPS) as usize).await;
    for line in 0..LINES {
        let steps: Vec<i64> = scene.follow.done.all().iter().filter(|it| it.line == line).map(|it| it.step).collect();
        assert!(steps.iter().copied().eq(0..STEPS), "line {line} was {steps:?}");
    }
}

pub async fn shutdown_finishes_what_is_under_way_and_receives_no_more<H: Harness>() {
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    scene.book.gate.close();
    let outbox = process(&scene, &post).await.start().await.unwrap();
    post.deliver(&booked(1));
    wait_until("the handler has begun", async || scene.book.begun.len() == 1).await;
    let closing = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.shutdown().await }
    });
    wait_until("it closes", async || outbox.relay().is_closing()).await;
    post.deliver(&booked(2));
    tokio::task::yield_now().await;
    scene.book.gate.open();
    closing.await.unwrap();
    assert_eq!((scene.business().await, scene.book.begun.len()), (vec![1], 1));
    assert_eq!(post.answers.len(), 1, "{:?}", post.answers.all());
    // What was not received is still there for others.
    let next = process(&scene, &post).await.start().await.unwrap();
    idle::<H>(&next, &post, 2).await;
    assert_eq!(scene.business().await, [1, 2]);
}

pub async fn the_inbox_forgets_what_is_old<H: Harness>() {
    const KEEP: Duration = Duration::from_secs(3_600);
    let (scene, post) = (Scene::<H>::new().await, Post::default());
    let builder = scene.timeless().await.handler::<H::Take>().subscribe("suite", post.subscribe());
    let outbox = builder.allow_unrouted().inbox_retention(KEEP).start().await.unwrap();
    post.deliver(&booked(1));
    idle::<H>(&outbox, &post, 1).await;
    scene.clock.advance(KEEP / 2);
    post.deliver(&booked(2));
    idle::<H>(&outbox, &post, 2).await;
    outbox.relay().maintain().await.unwrap();
    assert_eq!(scene.count("inbox").await, 2);
    scene.clock.advance(KEEP / 2 + Duration::from_secs(1));
    outbox.relay().maintain().await.unwrap();
    assert_eq!(scene.count("inbox").await, 1);
}
