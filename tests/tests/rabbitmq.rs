//! RabbitMQ keeps the contract of every broker, and some promises of its own.

#![allow(clippy::unwrap_used)]

mod conformance {
    events_tests::broker_conformance!(events_tests::OnRabbitMq);
}

mod rabbitmq {
    mod limits;
    mod permissions;
    mod receiving;
    mod tls;
    mod topology;

    use events_core::{Envelope, EventId, Headers};
    use events_mq::rabbitmq::{RabbitMq, RabbitMqBuilder};
    use events_tests::servers::RabbitMqServer;
    use lapin::{Channel, Connection, ConnectionProperties};
    use std::sync::Arc;

    /// The user that every server has who was not given others.
    fn user_of(server: &RabbitMqServer) -> RabbitMqBuilder {
        RabbitMq::builder(&format!("amqp://shop:s3cret@127.0.0.1:{}", server.port()))
    }

    /// What anybody can do who speaks the protocol; for as long as the connection is kept.
    async fn channel(server: &RabbitMqServer) -> (Connection, Channel) {
        let url = format!("amqp://shop:s3cret@127.0.0.1:{}/%2f", server.port());
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
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
