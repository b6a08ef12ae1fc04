//! NATS JetStream, put to the test.

use crate::broker_harness::{BrokerHarness, DeadLetter, Terms, WRONG_PASSWORD};
use crate::servers::NatsServer;
use bytes::Bytes;
use events_core::{Backoff, RetryPolicy};
use events_mq::nats::{Nats, NatsBuilder, NatsSubscription};
use events_mq::{ConnectError, Topology};
use futures_util::TryStreamExt;
use std::time::{Duration, Instant};

/// A private server, which asks for a password.
pub struct OnNats(NatsServer);

impl OnNats {
    /// A connection of `user`, and of their password.
    pub fn builder(&self, password: &str) -> NatsBuilder {
        Self::builder_at(&self.address(password))
    }

    fn builder_at(url: &str) -> NatsBuilder {
        Nats::builder(url).ack_timeout(Duration::from_secs(5))
    }

    fn address(&self, password: &str) -> String {
        format!("nats://shop:{password}@127.0.0.1:{}", self.0.port())
    }

    pub(crate) async fn plain_client(&self) -> async_nats::Client {
        let options = async_nats::ConnectOptions::with_user_and_password("shop".into(), "s3cret".into());
        options.connect(format!("127.0.0.1:{}", self.0.port())).await.unwrap()
    }
}

impl BrokerHarness for OnNats {
    type Transport = Nats;
    type Subscription = NatsSubscription;
    const NAME: &'static str = "nats";
    const DROPS_DUPLICATES: bool = true;
    const TOO_LARGE: usize = 1024 * 1024;

    async fn start() -> Self {
        Self(NatsServer::start_with("authorization { user: shop, password: s3cret }"))
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
    async fn transport(&self) -> Nats {
        self.builder("s3cret").connect().await.unwrap()
    }
    async fn unprepared(&self) -> Nats {
        let nats = self.builder("s3cret").topology(Topology::Check).connect_in_background().await.unwrap();
        // It connects by itself, and until then everything is unavailable.
        let deadline = Instant::now() + Duration::from_secs(30);
        while !nats.is_connected() {
            assert!(Instant::now() < deadline, "it connects");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        nats
    }
    async fn refused(&self) -> String {
        self.builder(WRONG_PASSWORD).connect().await.unwrap_err().to_string()
    }
    async fn subscribe_at(url: &str, consumer: &str, terms: Terms) -> Result<NatsSubscription, ConnectError> {
        let retry = RetryPolicy::default().attempts(terms.attempts).backoff(Backoff::Schedule(Vec::leak(vec![terms.delay])));
        Self::builder_at(url).connect().await?.subscribe(consumer).retry(retry).ack_wait(terms.ack_wait).open().await
    }
    async fn send_garbage(&self, payload: Bytes) {
        async_nats::jetstream::new(self.plain_client().await).publish("events.test.garbage", payload).await.unwrap().await.unwrap();
    }
    async fn dead_letters(&self, consumer: &str) -> Vec<DeadLetter> {
        let stream = async_nats::jetstream::new(self.plain_client().await).get_stream("EVENTS").await.unwrap();
        let subject = format!("events.dead.{consumer}");
        let count: usize = stream
            .info_with_subjects(&subject)
            .await
            .unwrap()
            .map_ok(|(_, count)| count)
            .try_fold(0, async |a, b| Ok(a + b))
            .await
            .unwrap();
        let mut letters = Vec::new();
        let mut from = 1;
        for _ in 0..count {
            let message = stream.get_first_raw_message_by_subject(&subject, from).await.unwrap();
            from = message.sequence + 1;
            letters.push(DeadLetter { payload: message.payload, reason: message.headers.get("Events-Dead-Reason").unwrap().to_string() });
        }
        letters
    }
}
