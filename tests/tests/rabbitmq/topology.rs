//! The exchange and the queues: made, looked at, and gone.

use super::{channel, event, user_of};
use events_core::{DeliveryErrorKind, Subscription, Transport, test_kit::wait_until};
use events_mq::Topology;
use events_mq::rabbitmq::QueueType;
use events_tests::servers::RabbitMqServer;
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() }
}

fn of_type(kind: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
    arguments
}

#[tokio::test]
async fn what_is_missing_is_made_with_what_the_builder_says() {
    let server = RabbitMqServer::start();
    let (_connection, channel) = channel(&server).await;
    for (exchange, queue_type, name) in [("shop", QueueType::Classic, "classic"), ("other", QueueType::Quorum, "quorum")] {
        let rabbit = user_of(&server).exchange(exchange).queue("billing", "order.*").queue_type(queue_type).connect().await.unwrap();
        rabbit.send(&[event("order.payok")]).await.remove(0).unwrap();
        // A queue can be declared again with its own settings only.
        let dead = format!("{exchange}.dead.billing");
        let same = channel.queue_declare(dead.as_str().into(), durable(), of_type(name)).await.unwrap();
        assert_eq!(same.message_count(), 0);
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(format!("{exchange}.billing").into(), passive, FieldTable::default()).await.unwrap();
        assert_eq!((queue.message_count(), queue.consumer_count()), (1, 0));
        let mut billing = rabbit.subscribe("billing").topics("order.*").open().await.unwrap();
        let received = billing.next().await.unwrap();
        assert_eq!(received.envelope().topic, "order.payok");
        received.nack("comes again").await.unwrap();
        billing.next().await.unwrap().ack().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_there_keeps_its_settings() {
    let server = RabbitMqServer::start();
    let (_connection, channel) = channel(&server).await;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("events".into(), ExchangeKind::Fanout, options, FieldTable::default()).await.unwrap();
    channel.queue_declare("events.reader".into(), durable(), of_type("classic")).await.unwrap();
    let rabbit = user_of(&server).queue("reader", "no.such.topic").connect().await.unwrap();
    rabbit.send(&[event("user.joined")]).await.remove(0).unwrap();
    let mut reader = rabbit.subscribe("reader").open().await.unwrap();
    reader.next().await.unwrap().ack().await.unwrap();
    // It is still the one that was made here.
    channel.queue_declare("events.reader".into(), durable(), of_type("classic")).await.unwrap();
}

#[tokio::test]
async fn an_event_that_no_queue_takes_is_terminal_and_the_rest_is_sent() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).queue("billing", "order.*").connect().await.unwrap();
    let batch: Vec<_> = (0..600).map(|n| event(if n % 3 == 0 { "user.joined" } else { "order.payok" })).collect();
    let results = rabbit.send(&batch).await;
    for (event, result) in batch.iter().zip(&results) {
        if event.topic == "order.payok" {
            assert!(result.is_ok(), "{result:?}");
            continue;
        }
        let error = result.as_ref().unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{error}");
        let said = error.report();
        assert!(
            said.contains(&event.id.to_string()) && said.contains("`user.joined`") && said.contains("no queue") && said.contains(".queue("),
            "{said}"
        );
    }
}

#[tokio::test]
async fn what_disappears_is_made_again() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).queue("reader", "#").connect().await.unwrap();
    rabbit.send(&[event("a")]).await.remove(0).unwrap();
    let (_connection, channel) = channel(&server).await;
    channel.queue_delete("events.reader".into(), QueueDeleteOptions::default()).await.unwrap();
    for result in rabbit.send(&[event("a"), event("b")]).await {
        result.unwrap();
    }
    channel.exchange_delete("events".into(), ExchangeDeleteOptions::default()).await.unwrap();
    for result in rabbit.send(&[event("a"), event("b")]).await {
        result.unwrap();
    }
}

#[tokio::test]
async fn who_may_make_nothing_is_told_at_the_start_what_is_missing() {
    let server = RabbitMqServer::start();
    let check = || user_of(&server).topology(Topology::Check).queue("billing", "#");
    let missing = async |what: &str| {
        let said = check().connect().await.unwrap_err().to_string();
        assert!(said.contains(&format!("has no {what}")) && said.contains("Topology::Create"), "{said}");
    };
    missing("exchange `events`").await;
    let (_connection, channel) = channel(&server).await;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("events".into(), ExchangeKind::Topic, options, FieldTable::default()).await.unwrap();
    missing("queue `events.dead.billing`").await;
    channel.queue_declare("events.dead.billing".into(), durable(), FieldTable::default()).await.unwrap();
    missing("queue `events.billing`").await;
    channel.queue_declare("events.billing".into(), durable(), FieldTable::default()).await.unwrap();
    let rabbit = check().connect().await.unwrap();
    // Nothing was bound by us.
    let error = rabbit.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Terminal, "{error}");
    channel
        .queue_bind("events.billing".into(), "events".into(), "#".into(), QueueBindOptions::default(), FieldTable::default())
        .await
        .unwrap();
    rabbit.send(&[event("a")]).await.remove(0).unwrap();
    // What is refused waits at the subscriber if there is no queue for it.
    let mut billing = rabbit.subscribe("billing").open().await.unwrap();
    billing.next().await.unwrap().nack("comes again").await.unwrap();
    billing.next().await.unwrap().ack().await.unwrap();
    let said = rabbit.subscribe("audit").open().await.unwrap_err().to_string();
    assert!(said.contains("has no queue `events.dead.audit`"), "{said}");
}

#[tokio::test]
async fn a_process_starts_before_its_broker() {
    let server = RabbitMqServer::start();
    server.kill();
    let rabbit = user_of(&server).queue("reader", "#").connect_in_background().await.unwrap();
    assert!(!rabbit.is_connected());
    let error = rabbit.send(&[event("a")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Unavailable);
    let said = user_of(&server).connect().await.unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
    server.start_again();
    wait_until("it is found", async || rabbit.send(&[event("a")]).await[0].is_ok()).await;
}

#[tokio::test]
async fn the_first_server_that_answers_is_taken() {
    let (away, server) = (RabbitMqServer::start(), RabbitMqServer::start());
    away.kill();
    let url = format!("amqp://shop:s3cret@127.0.0.1:{},localhost:{}", away.port(), server.port());
    let rabbit = events_mq::rabbitmq::RabbitMq::builder(&url).queue("reader", "#").connect().await.unwrap();
    rabbit.send(&[event("a")]).await.remove(0).unwrap();
}

#[tokio::test]
async fn consumers_get_their_topics_only() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).queue("orders", "order.*").queue("all", "#").connect().await.unwrap();
    let topics = ["user.joined", "order.payok", "order.eu.payok"];
    for result in rabbit.send(&topics.map(event)).await {
        result.unwrap();
    }
    let mut all = rabbit.subscribe("all").open().await.unwrap();
    for topic in topics {
        let received = all.next().await.unwrap();
        assert_eq!(received.envelope().topic, topic);
        received.ack().await.unwrap();
    }
    rabbit.send(&[event("order.last")]).await.remove(0).unwrap();
    let mut orders = rabbit.subscribe("orders").topics("order.*").open().await.unwrap();
    for topic in ["order.payok", "order.last"] {
        let received = orders.next().await.unwrap();
        assert_eq!(received.envelope().topic, topic);
        received.ack().await.unwrap();
    }
    all.stop().await;
    orders.stop().await;
}
