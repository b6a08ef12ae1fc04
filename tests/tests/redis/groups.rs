//! Members of a group: what they get, what comes again, and what they leave behind.

use super::{ask, builder, client, event, events, receive};
use events_core::{Backoff, RetryPolicy, Subscription, Transport, test_kit::wait_until};
use events_tests::servers::RedisServer;
use redis::cmd;
use std::time::{Duration, Instant};

/// How many entries a group has that are not acknowledged.
async fn pending(client: &mut redis::aio::MultiplexedConnection, group: &str) -> usize {
    let pending: (usize, redis::Value, redis::Value, redis::Value) = ask(client, cmd("XPENDING").arg("events").arg(group)).await;
    pending.0
}

async fn consumers(client: &mut redis::aio::MultiplexedConnection, group: &str) -> usize {
    ask::<Vec<redis::Value>>(client, cmd("XINFO").arg("CONSUMERS").arg("events").arg(group)).await.len()
}

#[tokio::test]
async fn a_group_gets_its_topics_and_its_dead_letters_are_events_again() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    let redis = builder(&server).connect().await.unwrap();
    let mut all = redis.subscribe("all").open().await.unwrap();
    let once = RetryPolicy::default().attempts(1);
    let mut orders = redis.subscribe("orders").topics("order.*").retry(once).open().await.unwrap();
    for result in redis.send(&[event("user.joined"), event("order.payok"), event("user.left")]).await {
        result.unwrap();
    }
    let order = receive(&mut orders).await;
    assert_eq!(order.envelope().topic, "order.payok");
    let dead = order.envelope().id;
    order.nack("no").await.unwrap();
    wait_until("those of other topics are acknowledged", async || {
        // Somebody must wait for events, or nothing is read.
        let nothing = tokio::time::timeout(Duration::from_millis(50), orders.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        pending(&mut client, "orders").await == 0
    })
    .await;
    for topic in ["user.joined", "order.payok", "user.left"] {
        let received = receive(&mut all).await;
        assert_eq!(received.envelope().topic, topic);
        received.ack().await.unwrap();
    }
    let letters = builder(&server).stream("events.dead.orders").connect().await.unwrap();
    let mut undertaker = letters.subscribe("undertaker").open().await.unwrap();
    let letter = receive(&mut undertaker).await;
    assert_eq!((letter.envelope().id, letter.envelope().topic.as_ref()), (dead, "order.payok"));
    letter.ack().await.unwrap();
    let entries: Vec<(String, std::collections::HashMap<String, String>)> =
        ask(&mut client, cmd("XRANGE").arg("events.dead.orders").arg("-").arg("+")).await;
    let fields = &entries[0].1;
    assert_eq!((fields["events_dead_reason"].as_str(), fields["events_dead_deliveries"].as_str()), ("no", "1"));
    let origin: Vec<(String, std::collections::HashMap<String, String>)> =
        ask(&mut client, cmd("XRANGE").arg("events").arg(&fields["events_dead_entry"]).arg("+").arg("COUNT").arg(1)).await;
    assert_eq!((fields["events_dead_stream"].as_str(), origin[0].1["ce_id"].clone()), ("events", dead.to_string()));
}

#[tokio::test]
async fn what_was_refused_comes_again_after_its_delay_although_who_refused_it_is_gone() {
    let server = RedisServer::start();
    let redis = builder(&server).connect().await.unwrap();
    // Far longer than `ack_wait`: who looks for the dead must leave alone what only waits.
    let delay = Duration::from_secs(3);
    let retry = || RetryPolicy::default().backoff(Backoff::Fixed(delay));
    let subscribe = async || redis.subscribe("billing").retry(retry()).ack_wait(Duration::from_millis(200)).open().await.unwrap();
    let mut first = subscribe().await;
    redis.send(&[event("a")]).await.remove(0).unwrap();
    let refused = Instant::now();
    receive(&mut first).await.nack("later").await.unwrap();
    first.stop().await;
    server.kill();
    server.start_again();
    let mut second = None;
    wait_until("the broker is back", async || {
        second = redis.subscribe("billing").retry(retry()).ack_wait(Duration::from_millis(200)).open().await.ok();
        second.is_some()
    })
    .await;
    let again = receive(second.as_mut().unwrap()).await;
    assert!(refused.elapsed() >= delay, "it came again after {:?}", refused.elapsed());
    again.ack().await.unwrap();
}

#[tokio::test]
async fn what_was_given_back_was_not_delivered() {
    let server = RedisServer::start();
    let redis = builder(&server).connect().await.unwrap();
    let twice = || RetryPolicy::default().attempts(2);
    for result in redis.send(&events(10)).await {
        result.unwrap();
    }
    for _ in 0..5 {
        let mut subscription = redis.subscribe("billing").retry(twice()).open().await.unwrap();
        let received = receive(&mut subscription).await;
        subscription.stop().await;
        received.ack().await.unwrap();
    }
    let mut subscription = redis.subscribe("billing").retry(twice()).open().await.unwrap();
    for _ in 0..5 {
        // Had it been delivered each time, it would be a dead letter.
        receive(&mut subscription).await.ack().await.unwrap();
    }
    assert_eq!(ask::<usize>(&mut client(&server, "").await, cmd("EXISTS").arg("events.dead.billing")).await, 0);
}

#[tokio::test]
async fn consumers_that_are_gone_do_not_pile_up() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    let redis = builder(&server).connect().await.unwrap();
    let mut alive = redis.subscribe("billing").ack_wait(Duration::from_millis(200)).open().await.unwrap();
    redis.subscribe("billing").open().await.unwrap().stop().await;
    assert_eq!(consumers(&mut client, "billing").await, 1, "who stops removes itself");
    // One that died, and had nothing.
    ask::<()>(&mut client, cmd("XGROUP").arg("CREATECONSUMER").arg("events").arg("billing").arg("dead")).await;
    assert_eq!(consumers(&mut client, "billing").await, 2);
    let waiting = async {
        loop {
            alive.next().await.unwrap();
        }
    };
    let gone = wait_until("the dead one is removed", async || consumers(&mut client, "billing").await == 1);
    tokio::select! {
        () = waiting => {}
        _ = gone => {}
    }
    assert_eq!(consumers(&mut client, "billing").await, 1);
}

#[tokio::test]
async fn a_group_has_no_more_unacknowledged_events_than_it_may() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    let redis = builder(&server).connect().await.unwrap();
    let later = RetryPolicy::default().backoff(Backoff::Fixed(Duration::from_secs(2)));
    let mut subscription = redis.subscribe("billing").retry(later).prefetch(10).max_ack_pending(20).open().await.unwrap();
    for result in redis.send(&events(200)).await {
        result.unwrap();
    }
    let begun = Instant::now();
    let mut refused = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        if let Ok(Some(received)) = tokio::time::timeout(Duration::from_millis(100), subscription.next()).await {
            received.nack("not yet").await.unwrap();
            refused += 1;
        }
    }
    let pending = pending(&mut client, "billing").await;
    assert!((20..=30).contains(&pending) && refused <= 30, "{pending} pending, {refused} refused");
    // They come again, and all others after them.
    let mut ids = std::collections::HashSet::new();
    while ids.len() < 200 {
        let received = receive(&mut subscription).await;
        ids.insert(received.envelope().id);
        received.ack().await.unwrap();
    }
}

#[tokio::test]
async fn an_entry_that_was_deleted_holds_up_nobody() {
    let server = RedisServer::start();
    let mut client = client(&server, "").await;
    let redis = builder(&server).connect().await.unwrap();
    let soon = RetryPolicy::default().backoff(Backoff::Fixed(Duration::from_millis(50)));
    let mut subscription = redis.subscribe("billing").retry(soon).open().await.unwrap();
    redis.send(&[event("a")]).await.remove(0).unwrap();
    receive(&mut subscription).await.nack("later").await.unwrap();
    ask::<usize>(&mut client, cmd("XTRIM").arg("events").arg("MAXLEN").arg(0)).await;
    redis.send(&[event("b")]).await.remove(0).unwrap();
    let received = receive(&mut subscription).await;
    assert_eq!(received.envelope().topic, "b");
    received.ack().await.unwrap();
    wait_until("the list forgets it", async || {
        let _ = tokio::time::timeout(Duration::from_millis(50), subscription.next()).await;
        pending(&mut client, "billing").await == 0
    })
    .await;
}
