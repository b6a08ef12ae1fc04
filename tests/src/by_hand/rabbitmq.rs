//! By lapin: a channel with confirms.

use crate::{ByHand, OnRabbitMq};
use events_core::Envelope;
use events_mq::headers::Binding;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection};
use std::sync::Arc;

impl ByHand for OnRabbitMq {
    type Client = (Connection, Channel);

    async fn client(&self) -> (Connection, Channel) {
        let (connection, channel) = self.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        (connection, channel)
    }

    async fn send((_, channel): &(Connection, Channel), batch: &[Arc<Envelope>]) {
        const PERSISTENT: u8 = 2;
        let mut confirmations = Vec::with_capacity(batch.len());
        for envelope in batch {
            let mut headers = FieldTable::default();
            for (name, value) in Binding::RABBITMQ.headers(envelope) {
                headers.insert(name.into(), AMQPValue::LongString(value.into()));
            }
            let properties = BasicProperties::default()
                .with_delivery_mode(PERSISTENT)
                .with_message_id(envelope.id.to_string().into())
                .with_content_type((&*envelope.content_type).into())
                .with_headers(headers);
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let confirmation = channel.basic_publish("events".into(), (&*envelope.topic).into(), options, &envelope.payload, properties);
            confirmations.push(confirmation.await.unwrap());
        }
        for confirmation in confirmations {
            assert!(confirmation.await.unwrap().is_ack());
        }
    }
}
