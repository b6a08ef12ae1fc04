//! By rocketmq-client-rust, with the producer that most programs use: all of a batch at once.

use crate::servers::RocketMqClient;
use crate::{ByHand, OnRocketMq};
use events_core::{BoxFuture, Envelope};
use events_mq::headers::Binding;
use futures_util::future::join_all;
use rocketmq_client_rust::{AclClientRPCHook, DefaultMQProducer, SendStatus, SessionCredentials};
use rocketmq_model::common::message::message_single::Message;
use std::sync::Arc;

/// How long an answer may take, in milliseconds.
const PATIENCE: u64 = 5_000;

impl ByHand for OnRocketMq {
    type Client = DefaultMQProducer;

    async fn client(&self) -> DefaultMQProducer {
        let (key, secret) = Self::CREDENTIALS;
        let hook = Arc::new(AclClientRPCHook::new(SessionCredentials::with_keys(key, secret)));
        let producer = DefaultMQProducer::builder(Arc::clone(RocketMqClient::runtime())).producer_group("by_hand");
        let mut producer = producer.name_server_addr(self.name_server()).rpc_hook(hook).build();
        // Futures so deep that the compiler gives up on whoever awaits them, without this type.
        let starting: BoxFuture<'_, ()> = Box::pin(async { producer.start().await.unwrap() });
        starting.await;
        producer
    }

    async fn send(client: &DefaultMQProducer, batch: &[Arc<Envelope>]) {
        let sending = batch.iter().map(|envelope| -> BoxFuture<'_, ()> {
            let mut message =
                Message::builder().topic("EVENTS").tags(&*envelope.topic).key(envelope.id.to_string()).body(envelope.payload.clone());
            for (name, value) in Binding::ROCKETMQ.headers(envelope) {
                message = message.raw_property(name, value).unwrap();
            }
            Box::pin(async move {
                let sent = client.send_with_timeout(message.build_unchecked(), PATIENCE).await.unwrap().unwrap();
                assert_eq!(sent.send_status, SendStatus::SendOk);
            })
        });
        join_all(sending).await;
    }
}
