//! What a user may not do is told to whom it concerns, although the server answers with silence.

use super::event;
use events_core::{DeliveryErrorKind, Transport};
use events_mq::nats::Nats;
use events_tests::servers::NatsServer;
use std::time::{Duration, Instant};

const USERS: &str = r#"
authorization {
  users = [
    { user: admin, password: a }
    { user: shop, password: s3cret, permissions: { publish: ["events.order.*", "$JS.API.>", "$JS.ACK.>"] } }
    { user: blind, password: b, permissions: { publish: ["events.>"] } }
  ]
}"#;

fn user(server: &NatsServer, user: &str, password: &str) -> events_mq::nats::NatsBuilder {
    Nats::builder(&format!("nats://{user}:{password}@127.0.0.1:{}", server.port())).ack_timeout(Duration::from_secs(20))
}

#[tokio::test]
async fn a_subject_that_may_not_be_published_to_is_terminal_at_once_and_the_rest_is_sent() {
    let server = NatsServer::start_with(USERS);
    let nats = user(&server, "shop", "s3cret").connect().await.unwrap();
    let begun = Instant::now();
    let results = nats.send(&[event("order.payok"), event("user.joined"), event("order.paid")]).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "it did not wait for a confirmation that never comes");
    assert!(results[0].is_ok() && results[2].is_ok());
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
    assert!(error.report().contains("does not let this user publish to `events.user.joined`"), "{error}");
}

#[tokio::test]
async fn who_may_not_look_at_the_stream_is_told_which_permission_is_missing() {
    let server = NatsServer::start_with(USERS);
    let begun = Instant::now();
    let said = user(&server, "blind", "b").connect().await.unwrap_err().to_string();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(said.contains("`$JS.API.STREAM.INFO.EVENTS`") && said.contains("grant"), "{said}");
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_password() {
    let server = NatsServer::start_with(USERS);
    let nats = user(&server, "shop", "s3cret").connect().await.unwrap();
    let subscription = nats.subscribe("reader").topics("order.*").open().await.unwrap();
    let printed = format!("{nats:?} {subscription:?}");
    assert!(printed.contains("127.0.0.1") && !printed.contains("s3cret"), "{printed}");
    let nats = Nats::builder(&format!("nats://shop:wr0ng@127.0.0.1:{}", server.port())).connect_in_background().await.unwrap();
    let error = nats.send(&[event("order.payok")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
    events_core::test_kit::wait_until("the reason is known", async || {
        let said = nats.send(&[event("order.payok")]).await.remove(0).unwrap_err().report();
        assert!(!said.contains("wr0ng"), "{said}");
        said.contains("authorization violation")
    })
    .await;
}
