//! By async-nats.

use crate::{ByHand, OnNats};
use async_nats::HeaderMap;
use async_nats::jetstream::{self, Context, message::PublishMessage};
use events_core::Envelope;
use events_mq::headers::Binding;
use std::{future::IntoFuture, sync::Arc};

impl ByHand for OnNats {
    type Client = Context;

    async fn client(&self) -> Context {
        jetstream::new(self.plain_client().await)
    }

    async fn send(client: &Context, batch: &[Arc<Envelope>]) {
        let mut confirmations = Vec::with_capacity(batch.len());
        for envelope in batch {
            let mut headers = HeaderMap::new();
            for (name, value) in Binding::NATS.headers(envelope) {
                headers.insert(name, value);
            }
            let message = PublishMessage::build().headers(headers).payload(envelope.payload.clone()).message_id(envelope.id.to_string());
            confirmations.push(client.send_publish(format!("events.{}", envelope.topic), message).await.unwrap().into_future());
        }
        for confirmation in confirmations {
            confirmation.await.unwrap();
        }
    }
}
