//! A broker of a test's own, inside the process: what is refused comes again at once, and every answer is noted.

use async_trait::async_trait;
use events_core::test_kit::Seen;
use events_core::{Acknowledge, BoxError, BoxFuture, Envelope, EventId, Received, Subscription};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};

/// What a subscriber said of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is dealt with.
    Acked(EventId),
    /// It shall come again.
    Refused(EventId, String),
    /// It shall be kept among the dead letters.
    Buried(EventId, String),
    /// Nothing: it was dropped, and comes again.
    Dropped(EventId),
}

/// The broker. Clones are one broker; every subscription takes some of its events.
#[derive(Clone)]
pub struct Post {
    letters: mpsc::UnboundedSender<Letter>,
    waiting: Arc<Mutex<mpsc::UnboundedReceiver<Letter>>>,
    /// All answers so far.
    pub answers: Seen<Answered>,
}

struct Letter {
    envelope: Arc<Envelope>,
    times: u32,
}

impl Default for Post {
    fn default() -> Self {
        let (letters, waiting) = mpsc::unbounded_channel();
        Self { letters, waiting: Arc::new(Mutex::new(waiting)), answers: Seen::new() }
    }
}

impl Post {
    /// An event arrives.
    pub fn deliver(&self, envelope: &Arc<Envelope>) {
        self.send(Arc::clone(envelope), 1);
    }

    /// A subscription.
    #[must_use]
    pub fn subscribe(&self) -> impl Subscription + use<> {
        Subscriber(self.clone())
    }

    fn send(&self, envelope: Arc<Envelope>, times: u32) {
        // The receiving half is kept by this value.
        let _ = self.letters.send(Letter { envelope, times });
    }
}

struct Subscriber(Post);

#[async_trait]
impl Subscription for Subscriber {
    async fn next(&mut self) -> Option<Received> {
        let Letter { envelope, times } = self.0.waiting.lock().await.recv().await?;
        let answer = Answer { post: self.0.clone(), envelope: Some(Arc::clone(&envelope)), times };
        Some(Received::new(envelope, Box::new(answer)).delivered(times))
    }
}

struct Answer {
    post: Post,
    envelope: Option<Arc<Envelope>>,
    times: u32,
}

impl Answer {
    fn note(&mut self, answered: impl FnOnce(EventId) -> Answered, again: bool) -> BoxFuture<'static, Result<(), BoxError>> {
        if let Some(envelope) = self.envelope.take() {
            self.post.answers.push(answered(envelope.id));
            if again {
                self.post.send(envelope, self.times + 1);
            }
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Acknowledge for Answer {
    fn ack(mut self: Box<Self>) -> BoxFuture<'static, Result<(), BoxError>> {
        self.note(Answered::Acked, false)
    }
    fn nack(mut self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        self.note(|id| Answered::Refused(id, reason.to_string()), true)
    }
    fn bury(mut self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        self.note(|id| Answered::Buried(id, reason.to_string()), false)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        drop(self.note(Answered::Dropped, true));
    }
}
