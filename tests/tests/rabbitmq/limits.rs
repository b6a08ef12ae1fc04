//! What does not fit, and a server that takes nothing.

use super::{event, user_of};
use events_core::test_kit::wait_until;
use events_core::{DeliveryErrorKind, Envelope, Headers, Subscription, Transport};
use events_tests::servers::RabbitMqServer;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_server_that_takes_less_than_it_is_said_to_closes_the_channel_and_only_the_large_event_is_terminal() {
    let server = RabbitMqServer::start_with("max_message_size = 1000");
    let rabbit = user_of(&server).queue("reader", "#").connect().await.unwrap();
    let large = Arc::new(Envelope { payload: vec![b'x'; 2_000].into(), ..(*event("large")).clone() });
    let results = rabbit.send(&[event("a"), large, event("b")]).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{error}");
    assert!(error.report().contains("larger") && error.report().contains("max_message_size"), "{error}");
}

#[tokio::test]
async fn headers_and_topics_that_do_not_fit_are_terminal_and_those_that_just_fit_arrive() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).queue("reader", "#").connect().await.unwrap();
    let with = |name: String, value: String| {
        let headers = Headers::from([(name, value)]);
        Arc::new(Envelope { headers, ..(*event("a")).clone() })
    };
    let prefix = "cloudEvents:header-".len();
    let fits = [with("n".repeat(255 - prefix), "x".to_owned()), with("n".to_owned(), "x".repeat(120_000))];
    let long_topic: &'static str = "t".repeat(256).leak();
    let too_much = [with("n".repeat(256 - prefix), "x".to_owned()), with("n".to_owned(), "x".repeat(131_072)), event(long_topic)];
    let results = rabbit.send(&[&fits[..], &too_much[..]].concat()).await;
    assert!(results[..2].iter().all(Result::is_ok), "{results:?}");
    for (result, expected) in results[2..].iter().zip(["name is too long", "bytes of headers", "routing key"]) {
        let error = result.as_ref().unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{error}");
        assert!(error.report().contains(expected), "{error}");
    }
    let mut subscription = rabbit.subscribe("reader").open().await.unwrap();
    for sent in &fits {
        let received = subscription.next().await.unwrap();
        assert_eq!(received.envelope(), sent);
        received.ack().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_short_of_disk_is_unavailable_and_says_why() {
    let server = RabbitMqServer::start_with("disk_free_limit.absolute = 100000000GB");
    let rabbit = user_of(&server).queue("reader", "#").ack_timeout(Duration::from_secs(20)).connect().await.unwrap();
    // It notices when something is published, and may take that.
    wait_until("it takes nothing", async || {
        let begun = Instant::now();
        let Err(error) = rabbit.send(&[event("a")]).await.remove(0) else { return false };
        assert_eq!(error.kind(), DeliveryErrorKind::Unavailable, "{error}");
        assert!(error.report().contains("low on disk") && error.report().contains("127.0.0.1"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(15), "it did not wait for a confirmation that does not come");
        true
    })
    .await;
    // Who only consumes is let alone.
    rabbit.subscribe("reader").open().await.unwrap().stop().await;
}
