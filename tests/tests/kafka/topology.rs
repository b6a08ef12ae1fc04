//! Topics: made, looked at, found, and gone.

use super::{SOON, ask, builder, event, receive};
use events_core::{DeliveryErrorKind, RetryPolicy, Subscription, Transport, test_kit::wait_until};
use events_mq::Topology;
use events_tests::servers::KafkaServer;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use std::time::{Duration, Instant};

fn client(server: &KafkaServer) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{}", server.port()));
    config
}

fn admin(server: &KafkaServer) -> AdminClient<DefaultClientContext> {
    client(server).create().unwrap()
}

async fn has_topic(server: &KafkaServer, name: &str) {
    let new = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    admin(server).create_topics([&new], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
}

/// All topics, each with the number of its partitions.
async fn topics(server: &KafkaServer) -> Vec<(String, usize)> {
    let consumer: BaseConsumer = client(server).create().unwrap();
    let mut topics: Vec<_> = ask(move || {
        let metadata = consumer.fetch_metadata(None, SOON).unwrap();
        metadata.topics().iter().map(|it| (it.name().to_owned(), it.partitions().len())).collect()
    })
    .await;
    topics.sort();
    topics
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_made_for_each_topic_and_strangers_can_read_it() {
    let server = KafkaServer::start();
    let kafka = builder(&server).prefix("shop.events").partitions(3).connect().await.unwrap();
    assert!(kafka.is_reachable().await);
    let order = super::keyed("order.payok", Some("k"), 7);
    for result in kafka.send(&[order.clone(), event("user.joined")]).await {
        result.unwrap();
    }
    assert_eq!(topics(&server).await, [("shop.events.order.payok".to_owned(), 3), ("shop.events.user.joined".to_owned(), 3)]);
    let mut config = client(&server);
    config.set("group.id", "stranger").set("auto.offset.reset", "earliest");
    let (key, payload, id) = ask(move || {
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&["shop.events.order.payok"]).unwrap();
        // It returns for other reasons too.
        let deadline = Instant::now() + SOON;
        let message = loop {
            match consumer.poll(Duration::from_millis(100)) {
                Some(message) => break message.unwrap().detach(),
                None => assert!(Instant::now() < deadline, "a message"),
            }
        };
        let headers = message.headers().unwrap();
        let id = headers.iter().find(|it| it.key == "ce_id").unwrap().value.unwrap().to_vec();
        (message.key().unwrap().to_vec(), message.payload().unwrap().to_vec(), id)
    })
    .await;
    assert_eq!((&key[..], &payload[..], id), (&b"k"[..], &b"7"[..], order.id.to_string().into_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_make_nothing_is_told_what_is_missing_and_the_rest_is_sent() {
    let server = KafkaServer::start();
    has_topic(&server, "events.order.payok").await;
    let kafka = builder(&server).topology(Topology::Check).connect().await.unwrap();
    let mut results = kafka.send(&[event("order.payok"), event("user.joined"), event("a b"), event("dead.x")]).await;
    results.remove(0).unwrap();
    let said: Vec<String> = results
        .into_iter()
        .map(|result| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), DeliveryErrorKind::Terminal);
            error.report()
        })
        .collect();
    assert!(said[0].contains("has no topic `events.user.joined`") && said[0].contains("Topology::Create"), "{said:?}");
    assert!(said[1].contains("topic `a b` cannot be the Kafka topic"), "{said:?}");
    assert!(said[2].contains("dead letters"), "{said:?}");
    let said = kafka.subscribe("billing").open().await.unwrap_err().to_string();
    assert!(said.contains("has no topic `events.dead.billing`") && said.contains("Topology::Create"), "{said}");
    has_topic(&server, "events.dead.billing").await;
    kafka.subscribe("billing").open().await.unwrap();
    assert_eq!(topics(&server).await, [("events.dead.billing".to_owned(), 1), ("events.order.payok".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_starts_before_its_broker() {
    let server = KafkaServer::start();
    server.kill();
    let kafka = builder(&server).connect_in_background().await.unwrap();
    assert!(!kafka.is_reachable().await);
    let error = kafka.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
    let said = builder(&server).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached") && said.contains("127.0.0.1"), "{said}");
    let said = kafka.subscribe("reader").open().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    server.start_again();
    wait_until("it is found", async || kafka.send(&[event("a")]).await[0].is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_get_their_topics_also_new_ones_and_never_the_dead_letters_of_others() {
    let server = KafkaServer::start();
    let kafka = builder(&server).partitions(1).connect().await.unwrap();
    let often = Duration::from_millis(200);
    let mut all = kafka.subscribe("all").discover_every(often).open().await.unwrap();
    let once = RetryPolicy::default().attempts(1);
    let mut orders = kafka.subscribe("orders").topics("order.*").retry(once).discover_every(often).open().await.unwrap();
    for result in kafka.send(&[event("user.joined"), event("order.payok")]).await {
        result.unwrap();
    }
    let order = receive(&mut orders).await;
    assert_eq!(order.envelope().topic, "order.payok");
    let dead = order.envelope().id;
    order.nack("no").await.unwrap();
    let mut letters = kafka.subscribe("undertaker").topics("dead.orders").discover_every(often).open().await.unwrap();
    let letter = receive(&mut letters).await;
    assert_eq!((letter.envelope().id, letter.envelope().topic.as_ref()), (dead, "order.payok"));
    letter.ack().await.unwrap();
    letters.stop().await;
    // A topic that nobody knew when the group began.
    kafka.send(&[event("user.left")]).await.remove(0).unwrap();
    let mut topics = Vec::new();
    while topics.len() < 3 {
        let received = receive(&mut all).await;
        topics.push(received.envelope().topic.to_string());
        received.ack().await.unwrap();
    }
    topics.sort();
    assert_eq!(topics, ["order.payok", "user.joined", "user.left"]);
    assert!(tokio::time::timeout(Duration::from_secs(1), all.next()).await.is_err(), "no dead letters");
    assert!(format!("{orders:?} {kafka:?}").contains("127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_can_begin_with_what_comes_from_now_on() {
    let server = KafkaServer::start();
    let kafka = builder(&server).connect().await.unwrap();
    kafka.send(&[event("a"), event("a")]).await.into_iter().for_each(Result::unwrap);
    let mut late = kafka.subscribe("late").discover_every(Duration::from_millis(200)).from_now().open().await.unwrap();
    // Before the group has its partitions, and to a topic that nobody knew.
    let wanted = [event("a"), event("b")];
    kafka.send(&wanted).await.into_iter().for_each(Result::unwrap);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let received = receive(&mut late).await;
        ids.push(received.envelope().id);
        received.ack().await.unwrap();
    }
    assert!(wanted.iter().all(|event| ids.contains(&event.id)));
    late.stop().await;
    // It is not new any more: what came meanwhile is not left out.
    let meanwhile = event("a");
    kafka.send(std::slice::from_ref(&meanwhile)).await.remove(0).unwrap();
    let mut again = kafka.subscribe("late").from_now().open().await.unwrap();
    assert_eq!(receive(&mut again).await.envelope().id, meanwhile.id);
}
