//! By redis: one pipeline for the batch.

use crate::{ByHand, OnRedis};
use events_core::Envelope;
use events_mq::headers::Binding;
use redis::aio::MultiplexedConnection;
use std::sync::Arc;

impl ByHand for OnRedis {
    type Client = MultiplexedConnection;

    async fn client(&self) -> MultiplexedConnection {
        self.plain_client().await
    }

    async fn send(client: &MultiplexedConnection, batch: &[Arc<Envelope>]) {
        let mut pipeline = redis::pipe();
        for envelope in batch {
            let add = pipeline.cmd("XADD").arg("events").arg("*");
            for (name, value) in Binding::REDIS.headers(envelope) {
                add.arg(name).arg(value);
            }
            add.arg("data").arg(&envelope.payload[..]);
        }
        let ids: Vec<String> = pipeline.query_async(&mut client.clone()).await.unwrap();
        assert_eq!(ids.len(), batch.len());
    }
}
