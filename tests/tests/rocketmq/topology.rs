//! Topics and groups: made, looked at, and gone; and what stands in them.

use super::{builder, client, event, receive};
use events_core::test_kit::wait_until;
use events_core::{DeliveryErrorKind, Envelope, Transport};
use events_mq::{Topology, rocketmq::RocketMq};
use events_tests::servers::RocketMqServer;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_made_with_what_the_builder_says_and_an_event_can_be_searched_for() {
    let server = RocketMqServer::start();
    let rocketmq = builder(&server).topic("SHOP").queues(2).connect().await.unwrap();
    let sent = event("order.payok");
    for result in rocketmq.send(&vec![Arc::clone(&sent); 40]).await {
        result.unwrap();
    }
    let client = client(&server);
    let queues = [client.messages("SHOP", 0).await, client.messages("SHOP", 1).await];
    assert_eq!((queues[0].len(), queues[1].len()), (32, 8), "events without a key go to both queues");
    let (properties, body) = &queues[0][0];
    assert_eq!(body[..], b"{}"[..]);
    let id = sent.id.to_string();
    for (name, value) in [("TAGS", "order.payok"), ("KEYS", &id), ("ce_type", "order.payok"), ("ce_id", &id)] {
        assert_eq!(properties[name], value, "{properties:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_make_nothing_is_told_at_the_start_what_is_missing() {
    let server = RocketMqServer::start();
    let check = || builder(&server).topology(Topology::Check);
    let said = check().connect().await.unwrap_err().to_string();
    assert!(said.contains("has no topic `EVENTS`") && said.contains("Topology::Create"), "{said}");
    assert!(!client(&server).has_topic("EVENTS").await, "nothing was made");
    builder(&server).connect().await.unwrap();
    let rocketmq = check().connect().await.unwrap();
    rocketmq.send(&[event("a")]).await.remove(0).unwrap();
    let said = rocketmq.subscribe("billing").open().await.unwrap_err().to_string();
    assert!(said.contains("has no group `billing`") && said.contains("Topology::Create"), "{said}");
    drop(builder(&server).connect().await.unwrap().subscribe("billing").open().await.unwrap());
    let mut billing = rocketmq.subscribe("billing").open().await.unwrap();
    assert_eq!(receive(&mut billing).await.envelope().topic, "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_disappears_is_made_again() {
    let server = RocketMqServer::start();
    let rocketmq = builder(&server).connect().await.unwrap();
    rocketmq.send(&[event("a")]).await.remove(0).unwrap();
    client(&server).delete_topic("EVENTS").await;
    for result in rocketmq.send(&[event("a"), event("b")]).await {
        result.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_broker_would_take_is_terminal_and_the_rest_is_sent() {
    let server = RocketMqServer::start();
    let rocketmq = builder(&server).max_message_size(1_000).connect().await.unwrap();
    let large = Envelope { payload: vec![b'x'; 1_001].into(), ..(*event("a")).clone() };
    let mut wordy = (*event("a")).clone();
    wordy.headers.insert("tenant".to_owned(), "ü".repeat(6_000));
    let mut results = rocketmq.send(&[event("a||b"), Arc::new(large), Arc::new(wordy), event("a")]).await;
    results.pop().unwrap().unwrap();
    let said: Vec<String> = results
        .into_iter()
        .map(|result| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
            error.report()
        })
        .collect();
    assert!(said[0].contains("cannot be a tag"), "{said:?}");
    assert!(said[1].contains("is larger") && said[1].contains("max_message_size"), "{said:?}");
    assert!(said[2].contains("larger headers"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_starts_before_its_broker() {
    let server = RocketMqServer::start();
    server.kill();
    for topology in [Topology::Create, Topology::Check] {
        let rocketmq = builder(&server).topology(topology).connect_in_background().await.unwrap();
        // For a moment the name server still believes in the broker.
        let error = rocketmq.send(&[event("a")]).await.remove(0).unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Unavailable, "{error}");
    }
    let rocketmq = builder(&server).connect_in_background().await.unwrap();
    let said = builder(&server).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    server.start_again();
    wait_until("it is found", async || rocketmq.send(&[event("a")]).await[0].is_ok()).await;
    // Nobody listens there.
    let said = RocketMq::connect("rocketmq://127.0.0.1:1").await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached") && said.contains("127.0.0.1:1"), "{said}");
}

#[test]
fn connections_can_be_made_and_dropped_outside_of_a_runtime_that_is_gone() {
    let server = RocketMqServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (rocketmq, subscription) = runtime.block_on(async {
        let rocketmq = builder(&server).connect().await.unwrap();
        let subscription = rocketmq.subscribe("reader").open().await.unwrap();
        (rocketmq, subscription)
    });
    drop(runtime);
    drop((rocketmq, subscription));
}
