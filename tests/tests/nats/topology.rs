//! Streams: made, completed, looked at, and gone.

use super::{builder, event};
use async_nats::jetstream::{self, stream::Config};
use events_core::{DeliveryErrorKind, Subscription, Transport};
use events_mq::Topology;
use events_tests::servers::NatsServer;
use std::time::Duration;

async fn jetstream(server: &NatsServer) -> jetstream::Context {
    jetstream::new(async_nats::connect(format!("127.0.0.1:{}", server.port())).await.unwrap())
}

async fn has_stream(server: &NatsServer, name: &str, subjects: &[&str]) {
    let subjects = subjects.iter().map(|subject| (*subject).to_owned()).collect();
    jetstream(server).await.create_stream(Config { name: name.to_owned(), subjects, ..Config::default() }).await.unwrap();
}

async fn subjects(server: &NatsServer) -> Vec<String> {
    jetstream(server).await.get_stream("EVENTS").await.unwrap().cached_info().config.subjects.clone()
}

#[tokio::test]
async fn a_stream_is_made_with_what_the_builder_says() {
    let server = NatsServer::start();
    let day = Duration::from_secs(86_400);
    let nats = builder(&server).stream("SHOP").prefix("shop.events").duplicate_window(Duration::from_secs(7)).max_age(day).connect().await;
    nats.unwrap().send(&[event("order.payok")]).await.remove(0).unwrap();
    let mut stream = jetstream(&server).await.get_stream("SHOP").await.unwrap();
    let info = stream.info().await.unwrap();
    assert_eq!(info.config.subjects, ["shop.events.>"]);
    assert_eq!((info.config.duplicate_window, info.config.max_age, info.state.messages), (Duration::from_secs(7), day, 1));
    let stored = stream.get_last_raw_message_by_subject("shop.events.order.payok").await.unwrap();
    assert_eq!(stored.headers.get("ce-type").unwrap().as_str(), "order.payok");
}

#[tokio::test]
async fn a_stream_that_is_there_keeps_its_settings_and_gets_the_subject() {
    let server = NatsServer::start();
    has_stream(&server, "EVENTS", &["legacy.>", "events.order.*"]).await;
    builder(&server).connect().await.unwrap().send(&[event("user.joined")]).await.remove(0).unwrap();
    assert_eq!(subjects(&server).await, ["legacy.>", "events.>"]);
}

#[tokio::test]
async fn a_stream_that_disappears_is_made_again() {
    let server = NatsServer::start();
    let nats = builder(&server).connect().await.unwrap();
    nats.send(&[event("a")]).await.remove(0).unwrap();
    jetstream(&server).await.delete_stream("EVENTS").await.unwrap();
    for result in nats.send(&[event("a"), event("b")]).await {
        result.unwrap();
    }
}

#[tokio::test]
async fn who_may_make_nothing_is_told_at_the_start_what_is_missing() {
    let server = NatsServer::start();
    let check = || builder(&server).topology(Topology::Check);
    let said = check().connect().await.unwrap_err().to_string();
    assert!(said.contains("has no stream `EVENTS`") && said.contains("Topology::Create"), "{said}");
    has_stream(&server, "EVENTS", &["orders.>"]).await;
    let said = check().connect().await.unwrap_err().to_string();
    assert!(said.contains("does not store subject `events.>` (only `orders.>`)"), "{said}");
    let nats = check().prefix("orders").connect().await.unwrap();
    let said = nats.subscribe("billing").open().await.unwrap_err().to_string();
    assert!(said.contains("has no consumer `billing`"), "{said}");
    assert_eq!(subjects(&server).await, ["orders.>"], "nothing was changed");
}

#[tokio::test]
async fn a_topic_that_the_stream_does_not_store_is_terminal_and_the_rest_is_sent() {
    let server = NatsServer::start();
    has_stream(&server, "EVENTS", &["events.order.*"]).await;
    let nats = builder(&server).topology(Topology::Check).connect().await.unwrap();
    let mut results = nats.send(&[event("order.payok"), event("user.joined"), event("a b"), event("dead.x")]).await;
    results.remove(0).unwrap();
    let said: Vec<String> = results
        .into_iter()
        .map(|result| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
            error.report()
        })
        .collect();
    assert!(said[0].contains("does not store subject `events.user.joined` (only `events.order.*`)"), "{said:?}");
    assert!(said[1].contains("topic `a b` cannot be a subject"), "{said:?}");
    assert!(said[2].contains("dead letters"), "{said:?}");
}

#[tokio::test]
async fn another_stream_does_not_confirm_what_is_ours() {
    let server = NatsServer::start();
    has_stream(&server, "EVENTS", &["events.order.>"]).await;
    has_stream(&server, "OTHER", &["events.user.>"]).await;
    let nats = builder(&server).topology(Topology::Check).connect().await.unwrap();
    let error = nats.send(&[event("user.joined")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
    assert!(error.report().contains("another stream than `EVENTS`"), "{error}");
}

#[tokio::test]
async fn a_full_stream_is_unavailable() {
    let server = NatsServer::start();
    let config = Config {
        name: "EVENTS".to_owned(),
        subjects: vec!["events.>".to_owned()],
        max_messages: 2,
        discard: jetstream::stream::DiscardPolicy::New,
        ..Config::default()
    };
    jetstream(&server).await.create_stream(config).await.unwrap();
    let nats = builder(&server).connect().await.unwrap();
    let results = nats.send(&[event("a"), event("a"), event("a")]).await;
    assert!(results[0].is_ok() && results[1].is_ok());
    let error = results[2].as_ref().unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
    assert!(error.report().contains("maximum messages exceeded"), "{error}");
}

#[tokio::test]
async fn a_server_without_jetstream_is_unavailable_and_says_so() {
    let server = NatsServer::start_with("accounts { PLAIN { users: [{ user: a, password: b }] } }");
    let said = builder(&server).user_and_password("a", "b").connect().await.unwrap_err().to_string();
    assert!(said.contains("JetStream"), "{said}");
}

#[tokio::test]
async fn a_process_starts_before_its_broker() {
    let server = NatsServer::start();
    server.kill();
    let nats = builder(&server).connect_in_background().await.unwrap();
    assert!(!nats.is_connected());
    let error = nats.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
    let said = builder(&server).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    server.start_again();
    events_core::test_kit::wait_until("it is found", async || nats.send(&[event("a")]).await[0].is_ok()).await;
}

#[tokio::test]
async fn consumers_get_their_topics_and_never_the_dead_letters_of_others() {
    let server = NatsServer::start();
    let nats = builder(&server).connect().await.unwrap();
    let mut all = nats.subscribe("all").open().await.unwrap();
    let once = events_core::RetryPolicy::default().attempts(1);
    let mut orders = nats.subscribe("orders").topics("order.*").retry(once).open().await.unwrap();
    for result in nats.send(&[event("user.joined"), event("order.payok")]).await {
        result.unwrap();
    }
    let order = orders.next().await.unwrap();
    assert_eq!(order.envelope().topic, "order.payok");
    let dead = order.envelope().id;
    order.nack("no").await.unwrap();
    nats.send(&[event("user.left")]).await.remove(0).unwrap();
    for topic in ["user.joined", "order.payok", "user.left"] {
        let received = all.next().await.unwrap();
        assert_eq!(received.envelope().topic, topic);
        received.ack().await.unwrap();
    }
    let mut letters = nats.subscribe("undertaker").topics("dead.orders").open().await.unwrap();
    let letter = letters.next().await.unwrap();
    assert_eq!((letter.envelope().id, letter.envelope().topic.as_ref()), (dead, "order.payok"));
    letter.ack().await.unwrap();
    letters.stop().await;
    assert!(format!("{orders:?} {nats:?}").contains("EVENTS"));
}
