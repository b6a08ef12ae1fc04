//! Kafka keeps the contract of every broker, and some promises of its own.

#![allow(clippy::unwrap_used)]

mod conformance {
    events_tests::broker_conformance!(events_tests::OnKafka);
}

mod kafka {
    mod credentials;
    mod groups;
    mod refusals;
    mod tls;
    mod topology;

    use events_core::{Envelope, EventId, Headers, Received, Subscription};
    use events_mq::kafka::{Kafka, KafkaBuilder};
    use events_tests::servers::KafkaServer;
    use std::{sync::Arc, time::Duration};

    const SOON: Duration = Duration::from_secs(30);

    /// Somebody to whom the server is open.
    fn builder(server: &KafkaServer) -> KafkaBuilder {
        Kafka::builder(&format!("kafka://127.0.0.1:{}", server.port())).replication(1)
    }

    fn event(topic: &'static str) -> Arc<Envelope> {
        keyed(topic, None, 0)
    }

    /// An event whose payload is the number.
    fn keyed(topic: &'static str, key: Option<&str>, n: usize) -> Arc<Envelope> {
        Arc::new(Envelope {
            id: EventId::now(),
            topic: topic.into(),
            version: 1,
            key: key.map(str::to_owned),
            occurred_at: time::OffsetDateTime::now_utc(),
            source: "/tests".into(),
            content_type: "application/json".into(),
            headers: Headers::new(),
            payload: n.to_string().into(),
        })
    }

    fn number(received: &Received) -> usize {
        std::str::from_utf8(&received.envelope().payload).unwrap().parse().unwrap()
    }

    async fn receive(subscription: &mut impl Subscription) -> Received {
        tokio::time::timeout(SOON, subscription.next()).await.expect("an event within 30 s").unwrap()
    }

    /// Blocks as those who ask the library do.
    async fn ask<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> T {
        tokio::task::spawn_blocking(question).await.unwrap()
    }
}
