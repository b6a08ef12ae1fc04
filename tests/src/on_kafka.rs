//! Kafka, put to the test.

use crate::broker_harness::{BrokerHarness, DeadLetter, Terms, WRONG_PASSWORD};
use crate::servers::KafkaServer;
use bytes::Bytes;
use events_core::{Backoff, RetryPolicy};
use events_mq::kafka::{Kafka, KafkaBuilder, KafkaSubscription, SaslMechanism};
use events_mq::{ConnectError, Topology};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// How long the helpers of the harness wait for an answer.
const SOON: Duration = Duration::from_secs(30);

/// A private server, which asks for a password. Topics have one partition, so that events without a key keep their order too.
pub struct OnKafka(KafkaServer);

impl OnKafka {
    /// A connection of the only user.
    pub fn builder(&self, password: &str) -> KafkaBuilder {
        Self::builder_at(&self.address(password))
    }

    fn builder_at(url: &str) -> KafkaBuilder {
        Kafka::builder(url)
            .sasl(SaslMechanism::ScramSha256)
            .partitions(1)
            .replication(1)
            .ack_timeout(Duration::from_secs(5))
            // A busy machine proves passwords slowly.
            .connect_timeout(SOON)
    }

    fn address(&self, password: &str) -> String {
        format!("kafka://shop:{password}@127.0.0.1:{}", self.0.port())
    }

    pub(crate) fn plain_client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", format!("127.0.0.1:{}", self.0.port())).set("security.protocol", "sasl_plaintext");
        config.set("sasl.mechanism", "SCRAM-SHA-256").set("sasl.username", "shop").set("sasl.password", "s3cret");
        config
    }
}

impl BrokerHarness for OnKafka {
    type Transport = Kafka;
    type Subscription = KafkaSubscription;
    const NAME: &'static str = "kafka";
    const DROPS_DUPLICATES: bool = false;
    const TOO_LARGE: usize = 1_000_000;
    // The server of the tests stores some thousand events in a second, at best.
    const BATCH: usize = 10_000;

    async fn start() -> Self {
        Self(tokio::task::spawn_blocking(|| KafkaServer::start_with_user("shop", "s3cret")).await.unwrap())
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
    async fn transport(&self) -> Kafka {
        self.builder("s3cret").connect().await.unwrap()
    }
    // A partition is read by one subscriber at a time.
    async fn transport_to_many(&self) -> Kafka {
        self.builder("s3cret").partitions(4).connect().await.unwrap()
    }
    async fn unprepared(&self) -> Kafka {
        self.builder("s3cret").topology(Topology::Check).connect_in_background().await.unwrap()
    }
    async fn refused(&self) -> String {
        self.builder(WRONG_PASSWORD).connect().await.unwrap_err().to_string()
    }
    async fn subscribe_at(url: &str, consumer: &str, terms: Terms) -> Result<KafkaSubscription, ConnectError> {
        let retry = RetryPolicy::default().attempts(terms.attempts).backoff(Backoff::Schedule(Vec::leak(vec![terms.delay])));
        let subscription = Self::builder_at(url).connect().await?.subscribe(consumer).retry(retry).ack_wait(terms.ack_wait);
        subscription.discover_every(Duration::from_millis(250)).open().await
    }
    async fn send_garbage(&self, payload: Bytes) {
        // To a topic that is there, where it comes between the events before and after.
        let producer: FutureProducer = self.plain_client().create().unwrap();
        let record = FutureRecord::<[u8], [u8]>::to("events.test.counted").payload(&payload);
        producer.send(record, SOON).await.unwrap();
    }
    async fn dead_letters(&self, consumer: &str) -> Vec<DeadLetter> {
        let (config, topic) = (self.plain_client(), format!("events.dead.{consumer}"));
        tokio::task::spawn_blocking(move || read_all(config, &topic)).await.unwrap()
    }
}

/// All that the only partition of `topic` holds, if it is there; blocks.
fn read_all(mut config: ClientConfig, topic: &str) -> Vec<DeadLetter> {
    let consumer: BaseConsumer = config.set("group.id", "undertaker").set("enable.auto.commit", "false").create().unwrap();
    let known = consumer.fetch_metadata(Some(topic), SOON).unwrap();
    if known.topics()[0].error().is_some() {
        return Vec::new();
    }
    let (first, end) = consumer.fetch_watermarks(topic, 0, SOON).unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, 0, Offset::Offset(first)).unwrap();
    consumer.assign(&from).unwrap();
    let (mut letters, deadline) = (Vec::new(), Instant::now() + SOON);
    while first + (letters.len() as i64) < end {
        assert!(Instant::now() < deadline, "only {} of the dead letters", letters.len());
        // It returns for other reasons too.
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        let headers = message.headers().unwrap();
        let reason = headers.iter().find(|header| header.key == "Events-Dead-Reason").unwrap();
        letters.push(DeadLetter {
            payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
            reason: String::from_utf8(reason.value.unwrap().to_vec()).unwrap(),
        });
    }
    letters
}
