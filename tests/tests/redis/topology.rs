//! Streams and groups: made, looked at, full and gone.

use super::{ask, builder, client, event, events, receive};
use events_core::{DeliveryErrorKind, Transport, test_kit::wait_until};
use events_mq::{Topology, redis::RedisStreams};
use events_tests::servers::RedisServer;
use redis::cmd;
use std::time::Duration;

#[tokio::test]
async fn an_event_is_an_entry_with_the_fields_of_a_cloud_event() {
    let server = RedisServer::start();
    let redis = RedisStreams::builder(&format!("redis://127.0.0.1:{}/3", server.port())).stream("shop.events").connect().await.unwrap();
    let sent = event("order.payok");
    redis.send(std::slice::from_ref(&sent)).await.remove(0).unwrap();
    let mut client = client(&server, "").await;
    ask::<()>(&mut client, cmd("SELECT").arg(3)).await;
    let entries: Vec<(String, std::collections::HashMap<String, String>)> =
        ask(&mut client, cmd("XRANGE").arg("shop.events").arg("-").arg("+")).await;
    assert_eq!(entries.len(), 1);
    let fields = &entries[0].1;
    assert_eq!((fields["ce_type"].as_str(), fields["ce_id"].clone(), fields["data"].as_str()), ("order.payok", sent.id.to_string(), "{}"));
}

#[tokio::test]
async fn who_may_make_nothing_is_told_at_the_start_what_is_missing() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    let check = || builder(&server).topology(Topology::Check);
    let said = check().connect().await.unwrap_err().to_string();
    assert!(said.contains("has no stream `events`") && said.contains("Topology::Create"), "{said}");
    ask::<()>(&mut client, cmd("XGROUP").arg("CREATE").arg("events").arg("other").arg(0).arg("MKSTREAM")).await;
    let redis = check().connect().await.unwrap();
    redis.send(&[event("order.payok")]).await.remove(0).unwrap();
    let said = redis.subscribe("billing").open().await.unwrap_err().to_string();
    assert!(said.contains("has no group `billing`") && said.contains("Topology::Create"), "{said}");
    ask::<()>(&mut client, cmd("XGROUP").arg("CREATE").arg("events").arg("billing").arg(0)).await;
    let said = redis.subscribe("billing").open().await.unwrap_err().to_string();
    assert!(said.contains("has no stream `events.dead.billing`"), "{said}");
    ask::<()>(&mut client, cmd("XGROUP").arg("CREATE").arg("events.dead.billing").arg("undertaker").arg(0).arg("MKSTREAM")).await;
    let mut subscription = redis.subscribe("billing").open().await.unwrap();
    receive(&mut subscription).await.ack().await.unwrap();
}

#[tokio::test]
async fn who_may_make_nothing_keeps_an_event_whose_dead_letter_nobody_stores() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    for (stream, group) in [("events", "billing"), ("events.dead.billing", "undertaker")] {
        ask::<()>(&mut client, cmd("XGROUP").arg("CREATE").arg(stream).arg(group).arg(0).arg("MKSTREAM")).await;
    }
    let redis = builder(&server).topology(Topology::Check).connect().await.unwrap();
    let once = events_core::RetryPolicy::default().attempts(1);
    let mut subscription = redis.subscribe("billing").retry(once).open().await.unwrap();
    for result in redis.send(&events(2)).await {
        result.unwrap();
    }
    receive(&mut subscription).await.nack("no").await.unwrap();
    assert_eq!(ask::<usize>(&mut client, cmd("XLEN").arg("events.dead.billing")).await, 1);
    ask::<()>(&mut client, cmd("DEL").arg("events.dead.billing")).await;
    let error = receive(&mut subscription).await.nack("no").await.unwrap_err().to_string();
    assert!(error.contains("events.dead.billing") && error.contains("Topology::Create"), "{error}");
    assert_eq!(ask::<usize>(&mut client, cmd("EXISTS").arg("events.dead.billing")).await, 0, "nothing was made");
    let pending: (usize, redis::Value, redis::Value, redis::Value) = ask(&mut client, cmd("XPENDING").arg("events").arg("billing")).await;
    assert_eq!(pending.0, 1, "it is kept");
}

#[tokio::test]
async fn a_key_that_holds_something_else_is_an_error_that_says_so() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    let redis = builder(&server).connect().await.unwrap();
    ask::<()>(&mut client, cmd("SET").arg("events").arg("x")).await;
    let error = redis.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
    assert!(error.report().contains("something else than a stream"), "{error}");
    let said = builder(&server).connect().await.unwrap_err().to_string();
    assert!(said.contains("holds no stream, but a string"), "{said}");
}

#[tokio::test]
async fn a_stream_that_disappears_is_made_again_and_its_subscription_goes_on() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    let redis = builder(&server).connect().await.unwrap();
    let mut subscription = redis.subscribe("billing").from_now().open().await.unwrap();
    redis.send(&[event("a")]).await.remove(0).unwrap();
    assert_eq!(receive(&mut subscription).await.envelope().topic, "a");
    ask::<()>(&mut client, cmd("DEL").arg("events")).await;
    redis.send(&[event("b")]).await.remove(0).unwrap();
    let again = receive(&mut subscription).await;
    assert_eq!(again.envelope().topic, "b", "although the group was made again after it was sent");
    again.ack().await.unwrap();
}

#[tokio::test]
async fn a_full_server_is_unavailable() {
    let server = RedisServer::start_with("maxmemory-policy noeviction");
    let mut client = client(&server, "").await;
    let redis = builder(&server).connect().await.unwrap();
    ask::<()>(&mut client, cmd("CONFIG").arg("SET").arg("maxmemory").arg(1)).await;
    let error = redis.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
    assert!(error.report().contains("OOM") && error.report().contains("127.0.0.1"), "{error}");
    ask::<()>(&mut client, cmd("CONFIG").arg("SET").arg("maxmemory").arg(0)).await;
    redis.send(&[event("a")]).await.remove(0).unwrap();
}

#[tokio::test]
async fn an_event_is_sent_only_when_as_many_replicas_have_it_as_it_needs() {
    let server = RedisServer::start();
    let careful = builder(&server).min_replicas(1).ack_timeout(Duration::from_secs(1)).connect().await.unwrap();
    let error = careful.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
    assert!(error.report().contains("only 0 of 1 replicas"), "{error}");
    let replica = RedisServer::start_with(&format!("replicaof 127.0.0.1 {}", server.port()));
    wait_until("the replica confirms", async || careful.send(&[event("a")]).await[0].is_ok()).await;
    // A replica takes nothing itself.
    let error = builder(&replica).connect_in_background().await.unwrap();
    wait_until("it says so", async || {
        let error = error.send(&[event("a")]).await.remove(0).unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
        error.report().contains("READONLY")
    })
    .await;
}

#[tokio::test]
async fn what_is_older_than_it_may_get_is_trimmed_and_nothing_else() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    let forever = builder(&server).connect().await.unwrap();
    // As if they were sent long ago; whole nodes are trimmed, which have 100 entries.
    for n in 1..=300 {
        ask::<()>(&mut client, cmd("XADD").arg("events").arg(format!("{n}-0")).arg("data").arg("x")).await;
    }
    forever.send(&[event("a")]).await.remove(0).unwrap();
    assert_eq!(ask::<usize>(&mut client, cmd("XLEN").arg("events")).await, 301, "without a limit everything stays");
    let limited = builder(&server).max_age(Duration::from_secs(3_600)).connect().await.unwrap();
    limited.send(&[event("b")]).await.remove(0).unwrap();
    let left: usize = ask(&mut client, cmd("XLEN").arg("events")).await;
    assert!((2..=102).contains(&left), "{left} are left");
}

#[tokio::test]
async fn a_process_starts_before_its_broker() {
    let server = RedisServer::start();
    server.kill();
    let redis = builder(&server).connect_in_background().await.unwrap();
    assert!(!redis.is_connected());
    let error = redis.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
    let said = builder(&server).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    let said = redis.subscribe("billing").open().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    server.start_again();
    // Also if nobody sends anything.
    wait_until("it is found", async || redis.is_connected()).await;
    redis.send(&[event("a")]).await.remove(0).unwrap();
}
