//! Redis Streams keep the contract of every broker, and some promises of their own.

#![allow(clippy::unwrap_used)]

mod conformance {
    events_tests::broker_conformance!(events_tests::OnRedis);
}

mod redis {
    mod groups;
    mod inbox;
    mod permissions;
    mod tls;
    mod topology;

    use events_core::{Envelope, EventId, Headers, Received, Subscription};
    use events_mq::redis::{RedisStreams, RedisStreamsBuilder};
    use events_tests::servers::RedisServer;
    use redis::aio::MultiplexedConnection;
    use std::{sync::Arc, time::Duration};

    /// Somebody to whom the server is open.
    fn builder(server: &RedisServer) -> RedisStreamsBuilder {
        RedisStreams::builder(&format!("redis://127.0.0.1:{}", server.port()))
    }

    /// A plain client; `credentials` as in a URL.
    async fn client(server: &RedisServer, credentials: &str) -> MultiplexedConnection {
        let client = redis::Client::open(format!("redis://{credentials}127.0.0.1:{}", server.port())).unwrap();
        // The library's own limits are 1 s and 500 ms, which a busy machine exceeds.
        let patient = redis::AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        client.get_multiplexed_async_connection_with_config(&patient).await.unwrap()
    }

    async fn ask<T: redis::FromRedisValue>(client: &mut MultiplexedConnection, command: &redis::Cmd) -> T {
        command.query_async(client).await.unwrap()
    }

    fn event(topic: &'static str) -> Arc<Envelope> {
        Arc::new(Envelope {
            id: EventId::now(),
            topic: topic.into(),
            version: 1,
            key: None,
            occurred_at: time::OffsetDateTime::now_utc(),
            source: "/tests".into(),
            content_type: "application/json".into(),
            headers: Headers::new(),
            payload: "{}".into(),
        })
    }

    fn events(count: usize) -> Vec<Arc<Envelope>> {
        (0..count).map(|_| event("a")).collect()
    }

    /// The next event, within 30 s.
    async fn receive(subscription: &mut impl Subscription) -> Received {
        tokio::time::timeout(Duration::from_secs(30), subscription.next()).await.expect("an event within 30 s").unwrap()
    }
}
