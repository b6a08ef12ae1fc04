//! Redis Streams, put to the test.

use crate::broker_harness::{BrokerHarness, DeadLetter, Terms, WRONG_PASSWORD};
use crate::servers::RedisServer;
use bytes::Bytes;
use events_core::{Backoff, RetryPolicy};
use events_mq::redis::{RedisStreams, RedisStreamsBuilder, RedisStreamsSubscription};
use events_mq::{ConnectError, Topology};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// An entry of a stream: its id, its fields.
type Entry = (String, Vec<(String, Vec<u8>)>);

/// A private server, which asks for a user and a password.
pub struct OnRedis(RedisServer);

impl OnRedis {
    /// A connection of `user`, and of their password.
    pub fn builder(&self, password: &str) -> RedisStreamsBuilder {
        Self::builder_at(&self.address(password))
    }

    fn builder_at(url: &str) -> RedisStreamsBuilder {
        RedisStreams::builder(url).ack_timeout(Duration::from_secs(5))
    }

    fn address(&self, password: &str) -> String {
        format!("redis://shop:{password}@127.0.0.1:{}", self.0.port())
    }

    pub(crate) async fn plain_client(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        // The library's own limits are 1 s and 500 ms, which a busy machine exceeds.
        let patient = redis::AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        client.get_multiplexed_async_connection_with_config(&patient).await.unwrap()
    }
}

impl BrokerHarness for OnRedis {
    type Transport = RedisStreams;
    type Subscription = RedisStreamsSubscription;
    const NAME: &'static str = "redis";
    const DROPS_DUPLICATES: bool = false;
    const TOO_LARGE: usize = 16 * 1024 * 1024;

    async fn start() -> Self {
        // Nobody can be the user `default`, but without its rights the server would leave out what it stored as transactions when it starts again.
        Self(RedisServer::start_with("user default off ~* &* +@all\nuser shop on >s3cret ~* &* +@all"))
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
    async fn transport(&self) -> RedisStreams {
        self.builder("s3cret").connect().await.unwrap()
    }
    async fn unprepared(&self) -> RedisStreams {
        let redis = self.builder("s3cret").topology(Topology::Check).connect_in_background().await.unwrap();
        // It connects by itself, and until then everything is unavailable.
        let deadline = Instant::now() + Duration::from_secs(30);
        while !redis.is_connected() {
            assert!(Instant::now() < deadline, "it connects");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        redis
    }
    async fn refused(&self) -> String {
        self.builder(WRONG_PASSWORD).connect().await.unwrap_err().to_string()
    }
    async fn subscribe_at(url: &str, consumer: &str, terms: Terms) -> Result<RedisStreamsSubscription, ConnectError> {
        let retry = RetryPolicy::default().attempts(terms.attempts).backoff(Backoff::Schedule(Vec::leak(vec![terms.delay])));
        Self::builder_at(url).connect().await?.subscribe(consumer).retry(retry).ack_wait(terms.ack_wait).open().await
    }
    async fn send_garbage(&self, payload: Bytes) {
        let mut client = self.plain_client().await;
        let _: String = redis::cmd("XADD").arg("events").arg("*").arg("data").arg(&payload[..]).query_async(&mut client).await.unwrap();
    }
    async fn dead_letters(&self, consumer: &str) -> Vec<DeadLetter> {
        let mut client = self.plain_client().await;
        let key = format!("events.dead.{consumer}");
        let entries: Vec<Entry> = redis::cmd("XRANGE").arg(key).arg("-").arg("+").query_async(&mut client).await.unwrap();
        let letter = |(_, fields): (String, Vec<_>)| {
            let fields: HashMap<String, Vec<u8>> = fields.into_iter().collect();
            let reason = String::from_utf8(fields["events_dead_reason"].clone()).unwrap();
            DeadLetter { payload: fields["data"].clone().into(), reason }
        };
        entries.into_iter().map(letter).collect()
    }
}
