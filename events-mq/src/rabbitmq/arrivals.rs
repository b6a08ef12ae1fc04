//! What a queue delivers, until the channel breaks.

use super::message::Message;
use crate::receiving::{Broken, Consumer};
use futures_util::StreamExt;
use lapin::options::{BasicCancelOptions, BasicNackOptions, BasicQosOptions};
use lapin::{Channel, message::Delivery};
use std::time::Duration;

pub(super) struct Arrivals {
    channel: Channel,
    deliveries: lapin::Consumer,
    prefetch: u16,
    patience: Duration,
}

impl Arrivals {
    pub(super) fn new(channel: Channel, deliveries: lapin::Consumer, prefetch: u16, patience: Duration) -> Self {
        Self { channel, deliveries, prefetch, patience }
    }

    fn message(&self, mut delivery: Delivery) -> Message {
        let body = std::mem::take(&mut delivery.data).into();
        Message { delivery, body, _channel: self.channel.clone() }
    }
}

impl Consumer for Arrivals {
    type Message = Message;

    async fn next(&mut self) -> Result<Message, Broken> {
        match self.deliveries.next().await {
            Some(Ok(delivery)) => Ok(self.message(delivery)),
            Some(Err(error)) => Err(Broken(error.to_string())),
            None => Err(Broken("the server ended it; was the queue deleted?".to_owned())),
        }
    }

    /// Ends it, and tells the server that what has arrived and was not handed out can go to others. What was handed out keeps the channel.
    async fn give_back(mut self) {
        let told = tokio::time::timeout(self.patience, async {
            if !self.channel.status().connected() {
                // Nobody to tell; the server has found out by itself.
                return Ok(());
            }
            // The answer comes after everything that was on its way, and ends the stream.
            self.channel.basic_cancel(self.deliveries.tag(), BasicCancelOptions::default()).await?;
            while let Some(Ok(delivery)) = self.deliveries.next().await {
                delivery.acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await?;
            }
            // Only to be answered: the server has read what was sent before.
            self.channel.basic_qos(self.prefetch, BasicQosOptions::default()).await
        });
        if !matches!(told.await, Ok(Ok(()))) {
            tracing::debug!("not everything could be given back; the server delivers it again when the channel is closed");
        }
    }
}
