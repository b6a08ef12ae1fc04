//! Copies that wait, dead letters, and messages of strangers.

use super::{channel, event, user_of};
use events_core::test_kit::wait_until;
use events_core::{Backoff, EventId, Headers, RetryPolicy, Subscription, Transport};
use events_tests::servers::RabbitMqServer;
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, message::BasicGetMessage};
use std::sync::Arc;
use std::time::Duration;

fn twice() -> RetryPolicy {
    RetryPolicy::default().attempts(2).backoff(Backoff::Fixed(Duration::from_millis(100)))
}

fn header(message: &BasicGetMessage, name: &str) -> String {
    match message.properties.headers().as_ref().unwrap().inner().get(name) {
        Some(AMQPValue::LongString(value)) => value.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn an_event_that_came_again_is_the_same_in_everything_and_its_dead_letter_says_what_happened() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).connect().await.unwrap();
    let mut subscription = rabbit.subscribe("reader").topics("order.*").retry(twice()).open().await.unwrap();
    let mut sent = (*event("order.payok")).clone();
    sent.headers = Headers::from([("Größe".into(), "ü\r\n".into())]);
    sent.key = Some("7".into());
    rabbit.send(&[Arc::new(sent.clone())]).await.remove(0).unwrap();
    for n in 1..=2 {
        let received = subscription.next().await.unwrap();
        assert_eq!(**received.envelope(), sent, "delivery {n}");
        received.nack(format!("no {n}")).await.unwrap();
    }
    let (_connection, channel) = channel(&server).await;
    let letter = channel.basic_get("events.dead.reader".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    assert_eq!(header(&letter, "Events-Dead-Reason"), "no 2");
    assert_eq!(header(&letter, "Events-Dead-Deliveries"), "2");
    assert_eq!(header(&letter, "Events-Dead-Routing-Key"), "order.payok");
    assert_eq!(header(&letter, "cloudEvents:id"), sent.id.to_string());
    assert_eq!(letter.properties.message_id().as_ref().unwrap().as_str(), sent.id.to_string());
    assert_eq!((letter.properties.expiration(), letter.properties.delivery_mode()), (&None, &Some(2)));
    let names: Vec<&str> = letter.properties.headers().as_ref().unwrap().inner().keys().map(lapin::types::ShortString::as_str).collect();
    // The server counts the deliveries of every quorum queue, also of this one.
    let other = |name: &&&str| **name != "x-delivery-count" && (name.starts_with("x-") || **name == "Events-Deliveries");
    assert_eq!(names.iter().find(other), None, "{names:?}");
}

#[tokio::test]
async fn an_event_whose_dead_letter_cannot_be_stored_is_not_lost() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).connect().await.unwrap();
    let once = RetryPolicy::default().attempts(1);
    let mut subscription = rabbit.subscribe("reader").retry(once).open().await.unwrap();
    let (_connection, channel) = channel(&server).await;
    channel.queue_delete("events.dead.reader".into(), QueueDeleteOptions::default()).await.unwrap();
    rabbit.send(&[event("a")]).await.remove(0).unwrap();
    let received = subscription.next().await.unwrap();
    let said = received.nack("no").await.unwrap_err().to_string();
    assert!(said.contains("events.dead.reader"), "{said}");
    subscription.stop().await;
    drop(rabbit);
    // Whoever comes next makes the queue again, and the letter gets there.
    let rabbit = user_of(&server).connect().await.unwrap();
    let mut subscription = rabbit.subscribe("reader").retry(RetryPolicy::default().attempts(1)).open().await.unwrap();
    rabbit.send(&[event("b")]).await.remove(0).unwrap();
    wait_until("the dead letter is there", async || {
        let _ = tokio::time::timeout(Duration::from_millis(50), subscription.next()).await.map(drop);
        channel.basic_get("events.dead.reader".into(), BasicGetOptions { no_ack: true }).await.unwrap().is_some()
    })
    .await;
}

#[tokio::test]
async fn events_of_strangers_are_read_in_both_spellings_and_with_native_types() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).connect().await.unwrap();
    let mut subscription = rabbit.subscribe("reader").open().await.unwrap();
    let (_connection, channel) = channel(&server).await;
    for separator in [':', '_'] {
        let (mut headers, id) = (FieldTable::default(), EventId::now());
        let mut set = |name: &str, value| {
            headers.insert(format!("cloudEvents{separator}{name}").into(), value);
        };
        let text = |text: &str| AMQPValue::LongString(text.into());
        set("specversion", text("1.0"));
        set("id", text(&id.to_string()));
        set("type", text("order.payok"));
        set("source", text("/strangers"));
        set("eventversion", AMQPValue::LongLongInt(3));
        set("time", AMQPValue::Timestamp(1_700_000_000));
        let properties = BasicProperties::default().with_headers(headers).with_content_type("text/plain".into());
        let sent = channel.basic_publish("events".into(), "x".into(), BasicPublishOptions::default(), b"hello", properties);
        sent.await.unwrap().await.unwrap();
        let received = subscription.next().await.unwrap();
        let envelope = received.envelope();
        assert_eq!((envelope.id, envelope.version, &*envelope.content_type, &envelope.payload[..]), (id, 3, "text/plain", &b"hello"[..]));
        assert_eq!(envelope.occurred_at.unix_timestamp(), 1_700_000_000);
        received.ack().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_stopped_subscription_had_prefetched_goes_to_another_of_the_same_connection() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).queue("reader", "#").connect().await.unwrap();
    let batch: Vec<_> = (0..20).map(|_| event("a")).collect();
    for result in rabbit.send(&batch).await {
        result.unwrap();
    }
    let mut first = rabbit.subscribe("reader").open().await.unwrap();
    let handed_out = first.next().await.unwrap();
    first.stop().await;
    let mut second = rabbit.subscribe("reader").open().await.unwrap();
    let mut ids = vec![handed_out.envelope().id];
    while ids.len() < 20 {
        let next = tokio::time::timeout(Duration::from_secs(30), second.next()).await;
        let received = next.unwrap_or_else(|_| panic!("only {} of 20 events", ids.len())).unwrap();
        ids.push(received.envelope().id);
        received.ack().await.unwrap();
    }
    // What was handed out before is still answered.
    handed_out.ack().await.unwrap();
    assert!(batch.iter().all(|event| ids.contains(&event.id)));
}

#[tokio::test]
async fn a_queue_that_is_deleted_is_made_again_by_its_subscriber() {
    let server = RabbitMqServer::start();
    let rabbit = user_of(&server).connect().await.unwrap();
    let mut subscription = rabbit.subscribe("reader").open().await.unwrap();
    let (_connection, channel) = channel(&server).await;
    channel.queue_delete("events.reader".into(), QueueDeleteOptions::default()).await.unwrap();
    let receiving = tokio::spawn(async move { subscription.next().await.unwrap().envelope().topic.to_string() });
    wait_until("it is sent", async || rabbit.send(&[event("again")]).await[0].is_ok()).await;
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), receiving).await.unwrap().unwrap(), "again");
}
