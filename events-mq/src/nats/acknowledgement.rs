//! The answer to one delivery of an event.

use super::consumer::Plan;
use super::dead_letters::{Poison, bury};
use super::transport::Shared;
use async_nats::jetstream::{AckKind, Message};
use events_core::{Acknowledge, BoxError, BoxFuture};
use std::sync::Arc;

/// Dropped without an answer, it refuses.
pub(super) struct Acknowledgement(Option<Answer>);

struct Answer {
    shared: Arc<Shared>,
    plan: Arc<Plan>,
    message: Message,
    delivered: u32,
}

impl Acknowledgement {
    pub(super) fn new(shared: Arc<Shared>, plan: Arc<Plan>, message: Message, delivered: u32) -> Self {
        Self(Some(Answer { shared, plan, message, delivered }))
    }
}

impl Acknowledge for Acknowledgement {
    fn ack(mut self: Box<Self>) -> BoxFuture<'static, Result<(), BoxError>> {
        let answer = self.0.take();
        Box::pin(async move {
            match answer {
                Some(answer) => answer.give(AckKind::Ack).await,
                None => Ok(()),
            }
        })
    }

    fn nack(mut self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        let answer = self.0.take();
        Box::pin(async move {
            match answer {
                Some(answer) => answer.refuse(&reason.to_string()).await,
                None => Ok(()),
            }
        })
    }
}

impl Drop for Acknowledgement {
    fn drop(&mut self) {
        // Without a runtime the server waits for `ack_wait`.
        if let (Some(answer), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { answer.refuse("it was dropped without an answer").await });
        }
    }
}

impl Answer {
    /// To come again after a while, or to the dead letters.
    async fn refuse(self, reason: &str) -> Result<(), BoxError> {
        match self.plan.retry.delay_after(self.delivered) {
            Some(delay) => self.give(AckKind::Nak(Some(delay))).await,
            None => bury(&self.shared, &self.plan, &self.message, &Poison { reason, deliveries: self.delivered }).await,
        }
    }

    async fn give(self, answer: AckKind) -> Result<(), BoxError> {
        let link = &self.shared.link;
        link.check().map_err(|failure| failure.text().to_owned())?;
        match tokio::time::timeout(self.shared.settings.ack_timeout, self.message.ack_with(answer)).await {
            Ok(told) => told,
            Err(_) => Err(link.away("it does not take the answer").text().into()),
        }
    }
}
