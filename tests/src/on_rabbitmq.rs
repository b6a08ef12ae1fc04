//! RabbitMQ, put to the test.

use crate::broker_harness::{BrokerHarness, DeadLetter, Terms, WRONG_PASSWORD};
use crate::servers::RabbitMqServer;
use bytes::Bytes;
use events_core::{Backoff, RetryPolicy};
use events_mq::rabbitmq::{RabbitMq, RabbitMqBuilder, RabbitMqSubscription};
use events_mq::{ConnectError, Topology};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::time::{Duration, Instant};

/// The consumers of the suite, and what each must not miss. RabbitMQ keeps for a consumer what was sent after its queue was made, so they
/// are declared up front.
const CONSUMERS: [(&str, &str); 3] = [("reader", "#"), ("watcher", "test.counted"), ("audit", "test.sent")];
/// What the server takes at most, and the transport knows.
const LARGEST: usize = 1024 * 1024;

/// A private server, which asks for a password.
pub struct OnRabbitMq(RabbitMqServer);

impl OnRabbitMq {
    /// A connection of the user, and of their password.
    pub fn builder(&self, password: &str) -> RabbitMqBuilder {
        Self::builder_at(&self.address(password))
    }

    fn builder_at(url: &str) -> RabbitMqBuilder {
        RabbitMq::builder(url).ack_timeout(Duration::from_secs(5)).max_message_size(LARGEST)
    }

    fn address(&self, password: &str) -> String {
        format!("amqp://shop:{password}@127.0.0.1:{}", self.0.port())
    }

    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        let url = format!("amqp://shop:s3cret@127.0.0.1:{}/%2f", self.0.port());
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }
}

impl BrokerHarness for OnRabbitMq {
    type Transport = RabbitMq;
    type Subscription = RabbitMqSubscription;
    const NAME: &'static str = "rabbitmq";
    const DROPS_DUPLICATES: bool = false;
    const TOO_LARGE: usize = LARGEST + 1;

    async fn start() -> Self {
        Self(RabbitMqServer::start_with(&format!("max_message_size = {LARGEST}")))
    }
    fn until_it_can_be_killed(&self) {
        self.0.until_written_down();
    }

    fn kill(&self) {
        self.0.kill();
    }
    fn start_again(&self) {
        self.0.start_again();
    }
    fn freeze(&self) {
        self.0.freeze();
    }
    fn thaw(&self) {
        self.0.thaw();
    }
    fn url(&self) -> String {
        self.address("s3cret")
    }
    async fn transport(&self) -> RabbitMq {
        CONSUMERS
            .iter()
            .fold(self.builder("s3cret"), |builder, (consumer, topics)| builder.queue(*consumer, *topics))
            .connect()
            .await
            .unwrap()
    }
    // No queue but that of the subscribers, who have made it.
    async fn transport_to_many(&self) -> RabbitMq {
        self.builder("s3cret").connect().await.unwrap()
    }
    async fn unprepared(&self) -> RabbitMq {
        let rabbit = self.builder("s3cret").topology(Topology::Check).connect_in_background().await.unwrap();
        // It connects by itself, and until then everything is unavailable.
        let deadline = Instant::now() + Duration::from_secs(30);
        while !rabbit.is_connected() {
            assert!(Instant::now() < deadline, "it connects");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        rabbit
    }
    async fn refused(&self) -> String {
        self.builder(WRONG_PASSWORD).connect().await.unwrap_err().to_string()
    }
    // RabbitMQ knows by the connection whether a subscriber is alive, so `ack_wait` means nothing here.
    async fn subscribe_at(url: &str, consumer: &str, terms: Terms) -> Result<RabbitMqSubscription, ConnectError> {
        let retry = RetryPolicy::default().attempts(terms.attempts).backoff(Backoff::Schedule(Vec::leak(vec![terms.delay])));
        Self::builder_at(url).connect().await?.subscribe(consumer).retry(retry).open().await
    }
    async fn send_garbage(&self, payload: Bytes) {
        let (_connection, channel) = self.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = channel.basic_publish("events".into(), "test.garbage".into(), options, &payload, properties).await.unwrap();
        assert!(sent.await.unwrap().is_ack());
    }
    async fn dead_letters(&self, consumer: &str) -> Vec<DeadLetter> {
        let (connection, channel) = self.channel().await;
        let queue = format!("events.dead.{consumer}");
        let mut letters = Vec::new();
        while let Some(message) = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await.unwrap() {
            let headers = message.properties.headers().clone().unwrap();
            let Some(AMQPValue::LongString(reason)) = headers.inner().get("Events-Dead-Reason") else { panic!("{headers:?}") };
            letters.push(DeadLetter { payload: message.data.clone().into(), reason: reason.to_string() });
        }
        // Not acknowledged, they stay where they are.
        connection.close(200, "goodbye".into()).await.unwrap();
        letters
    }
}
