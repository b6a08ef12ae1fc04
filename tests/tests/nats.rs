//! NATS JetStream keeps the contract of every broker, and some promises of its own.

#![allow(clippy::unwrap_used)]

mod conformance {
    events_tests::broker_conformance!(events_tests::OnNats);
}

mod nats {
    mod malformed;
    mod permissions;
    mod tls;
    mod topology;

    use events_core::{Envelope, EventId, Headers};
    use events_mq::nats::{Nats, NatsBuilder};
    use events_tests::servers::NatsServer;
    use std::sync::Arc;

    /// Somebody to whom the server is open.
    fn builder(server: &NatsServer) -> NatsBuilder {
        Nats::builder(&format!("nats://127.0.0.1:{}", server.port()))
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
}
