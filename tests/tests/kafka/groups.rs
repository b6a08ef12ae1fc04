//! What a group shares: partitions, keys, and how far it has come.

use super::{SOON, builder, event, keyed, number, receive};
use events_core::{Backoff, Received, RetryPolicy, Subscription, Transport};
use events_mq::kafka::{Kafka, KafkaSubscription};
use events_tests::servers::KafkaServer;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

async fn subscribe(kafka: &Kafka, group: &str) -> KafkaSubscription {
    let delay = Backoff::Fixed(Duration::from_millis(300));
    let subscription = kafka.subscribe(group).retry(RetryPolicy::default().attempts(5).backoff(delay));
    subscription.ack_wait(Duration::from_secs(6)).discover_every(Duration::from_millis(200)).open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_event_is_not_overtaken_by_its_key_and_holds_up_no_other() {
    let server = KafkaServer::start();
    let kafka = builder(&server).partitions(3).connect().await.unwrap();
    let mut subscription = subscribe(&kafka, "reader").await;
    for n in 0..10 {
        let step = [keyed("a", Some("slow"), n), keyed("a", Some("fast"), n)];
        kafka.send(&step).await.into_iter().for_each(Result::unwrap);
    }
    // Handled side by side, and each event of the slow key is refused the first time.
    let (mut seen, mut attempts, mut in_hand) = (HashMap::<String, Vec<usize>>::new(), HashMap::new(), Vec::new());
    let mut other_passed = false;
    while seen.values().flatten().count() < 20 {
        let received: Received = receive(&mut subscription).await;
        let key = received.envelope().key.clone().unwrap();
        let n = number(&received);
        let attempt = attempts.entry((key.clone(), n)).and_modify(|it| *it += 1).or_insert(1);
        if key == "slow" && *attempt == 1 {
            received.nack("not yet").await.unwrap();
            continue;
        }
        other_passed |= key == "fast" && n > seen.get("slow").map_or(0, Vec::len) + 1;
        seen.entry(key).or_default().push(n);
        // The answer may come late.
        in_hand.push(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            received.ack().await.unwrap();
        }));
    }
    for answer in in_hand {
        answer.await.unwrap();
    }
    assert!(seen.values().all(|steps| steps.iter().copied().eq(0..10)), "{seen:?}");
    assert!(other_passed, "the other key went on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_after_an_unanswered_event_comes_again_with_it() {
    let server = KafkaServer::start();
    let kafka = builder(&server).partitions(1).connect().await.unwrap();
    let mut first = subscribe(&kafka, "reader").await;
    for n in 0..4 {
        kafka.send(&[keyed("a", None, n)]).await.remove(0).unwrap();
    }
    let mut all = Vec::new();
    for n in 0..4 {
        let received = receive(&mut first).await;
        assert_eq!(number(&received), n);
        all.push(received);
    }
    let forgotten = all.remove(1);
    for received in all {
        received.ack().await.unwrap();
    }
    std::mem::forget(forgotten);
    first.stop().await;
    let mut second = subscribe(&kafka, "reader").await;
    for n in 1..4 {
        let received = receive(&mut second).await;
        assert_eq!(number(&received), n, "everything from the first unanswered event on");
        received.ack().await.unwrap();
    }
    second.stop().await;
    // All is done now: the next one gets only what is new.
    let mut third = subscribe(&kafka, "reader").await;
    kafka.send(&[keyed("a", None, 4)]).await.remove(0).unwrap();
    assert_eq!(number(&receive(&mut third).await), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_subscribers_share_the_partitions_of_a_topic() {
    const EVENTS: usize = 600;
    let server = KafkaServer::start();
    let kafka = builder(&server).partitions(4).connect().await.unwrap();
    kafka.send(&[event("a")]).await.remove(0).unwrap();
    let (mut one, mut other) = (subscribe(&kafka, "reader").await, subscribe(&kafka, "reader").await);
    let (mut by_one, mut by_other, mut n) = (BTreeSet::new(), BTreeSet::new(), 0);
    let deadline = Instant::now() + SOON;
    // A group takes its time to share; we go on until both have something, and nothing is missing.
    while by_one.is_empty() || by_other.is_empty() || n < EVENTS || by_one.union(&by_other).count() < n {
        assert!(Instant::now() < deadline, "one has {} and the other {} of {n}", by_one.len(), by_other.len());
        if n < EVENTS || by_one.is_empty() || by_other.is_empty() {
            let batch: Vec<_> = (n + 1..=n + 20).map(|n| keyed("a", Some(&n.to_string()), n)).collect();
            kafka.send(&batch).await.into_iter().for_each(Result::unwrap);
            n += 20;
        }
        let pause = Duration::from_millis(20);
        tokio::select! {
            received = one.next() => take(received, &mut by_one).await,
            received = other.next() => take(received, &mut by_other).await,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn take(received: Option<Received>, seen: &mut BTreeSet<usize>) {
    let received = received.unwrap();
    match number(&received) {
        0 => {}
        n => drop(seen.insert(n)),
    }
    // A partition may go to the other one meanwhile.
    let _ = received.ack().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_with_too_much_unanswered_waits_and_goes_on() {
    let server = KafkaServer::start();
    let kafka = builder(&server).partitions(1).connect().await.unwrap();
    let batch: Vec<_> = (0..100).map(|n| keyed("a", None, n)).collect();
    kafka.send(&batch).await.into_iter().for_each(Result::unwrap);
    let mut subscription = kafka.subscribe("reader").max_unanswered(10).prefetch(5).open().await.unwrap();
    let mut in_hand = Vec::new();
    while in_hand.len() < 10 {
        in_hand.push(receive(&mut subscription).await);
    }
    assert!(tokio::time::timeout(Duration::from_secs(1), subscription.next()).await.is_err(), "no eleventh");
    let mut numbers: Vec<usize> = in_hand.iter().map(number).collect();
    for received in in_hand {
        received.ack().await.unwrap();
    }
    while numbers.len() < 100 {
        let received = receive(&mut subscription).await;
        numbers.push(number(&received));
        received.ack().await.unwrap();
    }
    assert!(numbers.into_iter().eq(0..100), "each once, in order");
}
