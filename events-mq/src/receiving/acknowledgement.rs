//! The answer to one delivery of an event.

use super::{Poison, Source};
use events_core::{Acknowledge, BoxError, BoxFuture};
use std::sync::Arc;

/// Dropped without an answer, it refuses.
pub(super) struct Acknowledgement<S: Source>(Option<Answer<S>>);

struct Answer<S: Source> {
    source: Arc<S>,
    message: S::Message,
    delivered: u32,
}

impl<S: Source> Acknowledgement<S> {
    pub(super) fn new(source: Arc<S>, message: S::Message, delivered: u32) -> Self {
        Self(Some(Answer { source, message, delivered }))
    }
}

impl<S: Source> Acknowledge for Acknowledgement<S> {
    fn ack(mut self: Box<Self>) -> BoxFuture<'static, Result<(), BoxError>> {
        let answer = self.0.take();
        Box::pin(async move {
            match answer {
                Some(answer) => answer.source.accept(answer.message).await,
                None => Ok(()),
            }
        })
    }

    fn nack(mut self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        let answer = self.0.take();
        Box::pin(async move {
            match answer {
                Some(answer) => answer.refuse(reason.to_string()).await,
                None => Ok(()),
            }
        })
    }

    fn bury(mut self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        let answer = self.0.take();
        Box::pin(async move {
            match answer {
                Some(Answer { source, message, delivered }) => source.bury(message, Poison::new(reason.to_string(), delivered)).await,
                None => Ok(()),
            }
        })
    }
}

impl<S: Source> Drop for Acknowledgement<S> {
    fn drop(&mut self) {
        // Without a runtime the broker finds out by itself that nobody answers.
        if let (Some(answer), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { answer.refuse("it was dropped without an answer".to_owned()).await });
        }
    }
}

impl<S: Source> Answer<S> {
    /// To come again after a while, or to the dead letters.
    async fn refuse(self, reason: String) -> Result<(), BoxError> {
        let Self { source, message, delivered } = self;
        match source.retry().delay_after(delivered) {
            Some(delay) => source.postpone(message, delay).await,
            None => source.bury(message, Poison { reason, deliveries: delivered }).await,
        }
    }
}
