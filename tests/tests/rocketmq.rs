//! RocketMQ keeps the contract of every broker, and some promises of its own.

#![allow(clippy::unwrap_used)]

mod conformance {
    events_tests::broker_conformance!(events_tests::OnRocketMq);
}

mod rocketmq {
    mod groups;
    mod permissions;
    mod topology;
    mod two_phase;

    use events_core::{Envelope, EventId, Headers, Subscription};
    use events_mq::rocketmq::{RocketMq, RocketMqBuilder};
    use events_tests::servers::{RocketMqClient, RocketMqServer};
    use std::{sync::Arc, time::Duration};

    /// Somebody to whom the server is open.
    fn builder(server: &RocketMqServer) -> RocketMqBuilder {
        RocketMq::builder(&format!("rocketmq://127.0.0.1:{}", server.port()))
    }

    fn client(server: &RocketMqServer) -> RocketMqClient {
        RocketMqClient::of(server, None)
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

    async fn receive(subscription: &mut impl Subscription) -> events_core::Received {
        let next = tokio::time::timeout(Duration::from_secs(60), subscription.next()).await;
        next.expect("an event within a minute").expect("the subscription goes on")
    }
}
