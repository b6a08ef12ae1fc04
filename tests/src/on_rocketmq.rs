//! RocketMQ, put to the test.

use crate::broker_harness::{BrokerHarness, DeadLetter, Terms, WRONG_PASSWORD};
use crate::servers::{RocketMqClient, RocketMqServer};
use bytes::Bytes;
use events_core::{Backoff, RetryPolicy};
use events_mq::rocketmq::{RocketMq, RocketMqBuilder, RocketMqSubscription};
use events_mq::{ConnectError, Topology};
use std::time::Duration;

const ACCOUNTS: &str = "accounts:\n  - accessKey: shopaccess\n    secretKey: s3cretpass\n    admin: true\n";

/// A private name server and a private broker, which asks for a signature.
pub struct OnRocketMq(RocketMqServer);

impl OnRocketMq {
    /// The access key of the only account, and its secret.
    pub const CREDENTIALS: (&str, &str) = ("shopaccess", "s3cretpass");

    /// Where the name server is.
    pub fn name_server(&self) -> String {
        format!("127.0.0.1:{}", self.0.port())
    }

    /// The way to it of somebody with that secret.
    pub fn builder(&self, secret: &str) -> RocketMqBuilder {
        Self::builder_at(&self.address(secret))
    }

    fn builder_at(url: &str) -> RocketMqBuilder {
        RocketMq::builder(url).ack_timeout(Duration::from_secs(5))
    }

    fn address(&self, secret: &str) -> String {
        format!("rocketmq://shopaccess:{secret}@127.0.0.1:{}", self.0.port())
    }

    fn client(&self) -> RocketMqClient {
        RocketMqClient::of(&self.0, Some(Self::CREDENTIALS))
    }
}

impl BrokerHarness for OnRocketMq {
    type Transport = RocketMq;
    type Subscription = RocketMqSubscription;
    const NAME: &'static str = "rocketmq";
    const DROPS_DUPLICATES: bool = false;
    const OUTLIVES_ITS_SUBSCRIBERS: bool = true;
    const TOO_LARGE: usize = 4 * 1024 * 1024 + 1;

    async fn start() -> Self {
        Self(RocketMqServer::start_with(ACCOUNTS))
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
        self.address("s3cretpass")
    }
    async fn transport(&self) -> RocketMq {
        self.builder("s3cretpass").connect().await.unwrap()
    }
    async fn unprepared(&self) -> RocketMq {
        self.builder("s3cretpass").topology(Topology::Check).connect_in_background().await.unwrap()
    }
    async fn refused(&self) -> String {
        self.builder(WRONG_PASSWORD).connect().await.unwrap_err().to_string()
    }
    async fn subscribe_at(url: &str, consumer: &str, terms: Terms) -> Result<RocketMqSubscription, ConnectError> {
        let retry = RetryPolicy::default().attempts(terms.attempts).backoff(Backoff::Schedule(Vec::leak(vec![terms.delay])));
        Self::builder_at(url).connect().await?.subscribe(consumer).retry(retry).ack_wait(terms.ack_wait).open().await
    }
    async fn send_garbage(&self, payload: Bytes) {
        self.client().send("EVENTS", payload).await;
    }
    async fn dead_letters(&self, consumer: &str) -> Vec<DeadLetter> {
        let letters = self.client().messages(&format!("%DLQ%{consumer}"), 0).await;
        let letter = |(properties, payload): (std::collections::HashMap<String, String>, Bytes)| DeadLetter {
            payload,
            reason: properties["Events-Dead-Reason"].clone(),
        };
        letters.into_iter().map(letter).collect()
    }
}
