//! Groups of consumers: who gets what, and what becomes of what nobody answers.

use super::{builder, client, event, receive};
use events_core::test_kit::wait_until;
use events_core::{Backoff, Envelope, RetryPolicy, Subscription, Transport};
use events_tests::servers::RocketMqServer;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_of_a_group_share_its_queues_and_inherit_those_of_who_leaves() {
    let server = RocketMqServer::start();
    let rocketmq = builder(&server).connect().await.unwrap();
    let mut first = rocketmq.subscribe("reader").open().await.unwrap();
    let mut second = rocketmq.subscribe("reader").open().await.unwrap();
    // Some for each queue, until both get some: the first has to let go of half of its queues.
    wait_until("both get events", async || {
        let batch: Vec<_> = (0..128).map(|_| event("a")).collect();
        for result in rocketmq.send(&batch).await {
            result.unwrap();
        }
        let next = |subscription| async {
            let mut some = false;
            let subscription: &mut events_mq::rocketmq::RocketMqSubscription = subscription;
            while let Ok(Some(received)) = tokio::time::timeout(Duration::from_millis(500), subscription.next()).await {
                received.ack().await.unwrap();
                some = true;
            }
            some
        };
        let (one, other) = tokio::join!(next(&mut first), next(&mut second));
        one && other
    })
    .await;
    first.stop().await;
    let batch: Vec<_> = (0..128).map(|_| event("b")).collect();
    for result in rocketmq.send(&batch).await {
        result.unwrap();
    }
    let mut missing: HashSet<_> = batch.iter().map(|event| event.id).collect();
    while !missing.is_empty() {
        let received = receive(&mut second).await;
        missing.remove(&received.envelope().id);
        received.ack().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_get_their_topics_and_begin_where_they_were_told_to() {
    let server = RocketMqServer::start();
    let rocketmq = builder(&server).connect().await.unwrap();
    for result in rocketmq.send(&[event("order.payok"), event("user.joined")]).await {
        result.unwrap();
    }
    let mut late = rocketmq.subscribe("late").from_now().open().await.unwrap();
    let mut orders = rocketmq.subscribe("orders").topics(["order.payok", "order.refunded"]).open().await.unwrap();
    for topic in ["order.refunded", "user.left"] {
        rocketmq.send(&[event(topic)]).await.remove(0).unwrap();
    }
    let mut topics = HashSet::new();
    for _ in 0..2 {
        let received = receive(&mut orders).await;
        topics.insert(received.envelope().topic.to_string());
        received.ack().await.unwrap();
    }
    assert_eq!(topics, ["order.payok", "order.refunded"].map(str::to_owned).into());
    let mut topics = HashSet::new();
    for _ in 0..2 {
        let received = receive(&mut late).await;
        topics.insert(received.envelope().topic.to_string());
        received.ack().await.unwrap();
    }
    assert_eq!(topics, ["order.refunded", "user.left"].map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_where_it_stopped() {
    let server = RocketMqServer::start();
    let rocketmq = builder(&server).queues(1).connect().await.unwrap();
    let batch: Vec<_> = (0..10).map(|_| event("a")).collect();
    for event in &batch {
        rocketmq.send(std::slice::from_ref(event)).await.remove(0).unwrap();
    }
    let mut before = rocketmq.subscribe("reader").open().await.unwrap();
    for _ in 0..6 {
        receive(&mut before).await.ack().await.unwrap();
    }
    before.stop().await;
    let mut after = rocketmq.subscribe("reader").open().await.unwrap();
    for event in &batch[6..10] {
        let received = receive(&mut after).await;
        assert_eq!(received.envelope().id, event.id, "only what was not acknowledged comes again, and in order");
        received.ack().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_answer_an_event_comes_again_although_its_subscriber_goes_on() {
    let server = RocketMqServer::start();
    let rocketmq = builder(&server).connect().await.unwrap();
    let mut subscription = rocketmq.subscribe("reader").ack_wait(Duration::from_secs(2)).open().await.unwrap();
    rocketmq.send(&[event("a")]).await.remove(0).unwrap();
    let forgotten = receive(&mut subscription).await;
    let again = receive(&mut subscription).await;
    assert_eq!(again.envelope().id, forgotten.envelope().id);
    again.ack().await.unwrap();
    // Too late: it was taken for refused.
    forgotten.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_says_why_and_is_still_the_event() {
    let server = RocketMqServer::start();
    let rocketmq = builder(&server).connect().await.unwrap();
    let retry = RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(Duration::ZERO));
    let mut subscription = rocketmq.subscribe("billing").retry(retry).open().await.unwrap();
    let poison = Arc::new(Envelope { payload: bytes::Bytes::new(), ..(*event("order.payok")).clone() });
    rocketmq.send(std::slice::from_ref(&poison)).await.remove(0).unwrap();
    for _ in 0..2 {
        let received = receive(&mut subscription).await;
        assert_eq!(received.envelope().id, poison.id);
        received.nack("no\u{1}desk").await.unwrap();
    }
    let client = client(&server);
    wait_until("there is a dead letter", async || !client.messages("%DLQ%billing", 0).await.is_empty()).await;
    let (properties, body) = client.messages("%DLQ%billing", 0).await.remove(0);
    for (name, value) in [("Events-Dead-Reason", "no desk"), ("Events-Dead-Deliveries", "2"), ("Events-Dead-Topic", "EVENTS")] {
        assert_eq!(properties[name], value, "{properties:?}");
    }
    assert_eq!((properties["ce_id"].clone(), properties["empty_body"].as_str()), (poison.id.to_string(), "true"));
    assert_eq!(body.len(), 1);
}
