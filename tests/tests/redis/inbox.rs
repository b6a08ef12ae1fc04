//! What was handled is remembered in Redis, for processes without a database.

use super::builder;
use events_core::test_kit::{Fault, wait_until};
use events_core::{BuildError, Envelope, EventId, Headers, Receiver, ReceiverBuilder};
use events_mq::redis::RedisInbox;
use events_tests::Role;
use events_tests::events::{Booked, Stepped, pick, tread};
use events_tests::post::{Answered, Post};
use events_tests::servers::RedisServer;
use std::{sync::Arc, time::Duration};

const CLAIM: Duration = Duration::from_secs(1);

fn stepped(step: i64) -> Arc<Envelope> {
    Arc::new(Envelope {
        id: EventId::now(),
        topic: "test.stepped".into(),
        version: 1,
        key: None,
        occurred_at: time::OffsetDateTime::now_utc(),
        source: "/tests".into(),
        content_type: "application/json".into(),
        headers: Headers::new(),
        payload: format!(r#"{{"line":1,"step":{step}}}"#).into(),
    })
}

/// A process that hears what `post` delivers.
async fn receiver(server: &RedisServer, post: &Post, role: &Role<Stepped>) -> ReceiverBuilder {
    let redis = builder(server).ack_timeout(Duration::from_secs(2)).connect().await.unwrap();
    let inbox = RedisInbox::of(&redis).claim(CLAIM);
    Receiver::builder(inbox).without_linked_handlers().state(role.clone()).handler::<tread>().subscribe("suite", post.subscribe())
}

async fn acknowledged(post: &Post, times: usize) {
    let acknowledged = async || post.answers.all().iter().filter(|it| matches!(it, Answered::Acked(_))).count() == times;
    wait_until("everything is acknowledged", acknowledged).await;
}

#[tokio::test]
async fn an_event_has_its_effect_once_however_often_it_comes_and_wherever() {
    let (server, post, role) = (RedisServer::start(), Post::default(), Role::<Stepped>::default());
    let first = receiver(&server, &post, &role).await.start().unwrap();
    let second = receiver(&server, &post, &role).await.start().unwrap();
    let event = stepped(1);
    // Some of them at the same time: who comes second waits for the first.
    for _ in 0..10 {
        post.deliver(&event);
    }
    acknowledged(&post, 10).await;
    assert_eq!(role.begun.len(), 1);
    assert_eq!((first.stats().received + second.stats().received, first.stats().duplicates + second.stats().duplicates), (1, 9));
    assert_eq!((first.shutdown().await, second.shutdown().await), (0, 0));
    // Another process, later.
    let third = receiver(&server, &post, &role).await.start().unwrap();
    post.deliver(&event);
    acknowledged(&post, 11).await;
    assert_eq!((role.begun.len(), third.stats().duplicates), (1, 1));
}

#[tokio::test]
async fn a_handler_that_fails_is_called_again_at_once() {
    let (server, post, role) = (RedisServer::start(), Post::default(), Role::<Stepped>::default());
    role.faults.next(1, Fault::Retryable);
    role.faults.next(1, Fault::Panic);
    let receiver = receiver(&server, &post, &role).await.start().unwrap();
    post.deliver(&stepped(1));
    acknowledged(&post, 1).await;
    assert_eq!((role.begun.len(), role.done.len(), receiver.stats().handler_panics), (3, 1, 1));
}

#[tokio::test]
async fn what_a_dead_process_had_claimed_is_handled_again_when_the_claim_has_run_out() {
    let (server, post, role) = (RedisServer::start(), Post::default(), Role::<Stepped>::default());
    // It never comes to an end.
    let stuck = Role::default();
    stuck.gate.close();
    let dead = receiver(&server, &post, &stuck).await.start().unwrap();
    let event = stepped(1);
    post.deliver(&event);
    wait_until("the handler has begun", async || stuck.begun.len() == 1).await;
    let alive = receiver(&server, &Post::default(), &role).await;
    let other = Post::default();
    let alive = alive.subscribe("suite", other.subscribe()).start().unwrap();
    other.deliver(&event);
    acknowledged(&other, 1).await;
    assert_eq!((role.done.len(), alive.stats().received), (1, 1), "at least once");
    drop(dead);
}

#[tokio::test]
async fn what_was_forgotten_is_handled_again() {
    let (server, post, role) = (RedisServer::start(), Post::default(), Role::<Stepped>::default());
    let redis = builder(&server).connect().await.unwrap();
    let inbox = RedisInbox::of(&redis).retention(Duration::from_millis(1));
    let builder = Receiver::builder(inbox).without_linked_handlers().state(role.clone()).handler::<tread>();
    let _receiver = builder.subscribe("suite", post.subscribe()).start().unwrap();
    let event = stepped(1);
    post.deliver(&event);
    acknowledged(&post, 1).await;
    // Expired keys are gone for whoever asks.
    let forgotten = async || {
        post.deliver(&event);
        tokio::task::yield_now().await;
        role.done.len() >= 2
    };
    wait_until("it is handled again", forgotten).await;
}

#[tokio::test]
async fn while_redis_is_away_events_come_again_and_are_handled_afterwards() {
    let (server, post, role) = (RedisServer::start(), Post::default(), Role::<Stepped>::default());
    let _receiver = receiver(&server, &post, &role).await.start().unwrap();
    server.kill();
    post.deliver(&stepped(1));
    wait_until("it is refused", async || matches!(post.answers.all().first(), Some(Answered::Refused(_, why)) if why.contains("Redis at")))
        .await;
    assert_eq!(role.begun.len(), 0, "without an inbox nothing is handled");
    server.start_again();
    acknowledged(&post, 1).await;
    assert_eq!(role.done.len(), 1);
}

#[tokio::test]
async fn a_receiver_says_at_start_what_is_missing() {
    let (server, post) = (RedisServer::start(), Post::default());
    let redis = builder(&server).connect().await.unwrap();
    let receiver = || Receiver::builder(RedisInbox::of(&redis)).without_linked_handlers();
    let Err(BuildError::Several(problems)) = receiver().handler::<pick>().start() else { panic!("nothing is missing") };
    let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(said.contains("handler `pick` needs `State<") && said.contains("call `.subscribe(\"suite\", ..)`"), "{said}");
    let builder = receiver().state(Role::<Booked>::default()).handler::<events_tests::take>().subscribe("suite", post.subscribe());
    let said = builder.start().err().unwrap().to_string();
    assert!(said.contains("but this outbox runs `no unit of work`"), "{said}");
    // Handlers of what is published here are none of its business.
    let builder = receiver().handler::<events_tests::events::note>().handler::<pick>().state(Role::<Booked>::default());
    assert!(builder.subscribe("suite", post.subscribe()).start().is_ok());
}
