//! By rdkafka, with the producer that most programs use, at the settings of the transport.

use crate::{ByHand, OnKafka};
use events_core::Envelope;
use events_mq::headers::Binding;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::sync::Arc;

impl ByHand for OnKafka {
    type Client = FutureProducer;

    async fn client(&self) -> FutureProducer {
        self.plain_client().set("enable.idempotence", "true").set("acks", "all").set("partitioner", "murmur2_random").create().unwrap()
    }

    async fn send(client: &FutureProducer, batch: &[Arc<Envelope>]) {
        let mut confirmations = Vec::with_capacity(batch.len());
        for envelope in batch {
            let topic = format!("events.{}", envelope.topic);
            let headers = Binding::KAFKA
                .headers(envelope)
                .into_iter()
                .fold(OwnedHeaders::new(), |headers, (name, value)| headers.insert(Header { key: &name, value: Some(&value) }));
            let record = FutureRecord::<str, [u8]>::to(&topic).payload(&envelope.payload).headers(headers);
            confirmations.push(client.send_result(record).map_err(|(error, _)| error).unwrap());
        }
        for confirmation in confirmations {
            confirmation.await.unwrap().map_err(|(error, _)| error).unwrap();
        }
    }
}
