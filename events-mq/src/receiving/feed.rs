//! Receives events from a durable consumer, and opens it again whenever it breaks.

use super::acknowledgement::Acknowledgement;
use super::{Broken, Consumer, Opening, Poison, Reading, Source};
use events_core::{Backoff, BoxFuture, Received, RetryPolicy};
use std::{sync::Arc, time::Duration};

/// The pauses between attempts to open a consumer again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// The events of a source. It never ends by itself: while the broker is away it waits, and tries again.
///
/// Dropped, it gives back what it has and did not hand out; what it has handed out can still be answered.
pub(crate) struct Feed<S: Source> {
    source: Arc<S>,
    state: State<S>,
    /// The end of a message that nobody gets. It is kept here, so that `next` can be cancelled.
    chore: Option<BoxFuture<'static, ()>>,
}

enum State<S: Source> {
    Open(Box<S::Consumer>),
    Opening(BoxFuture<'static, Box<S::Consumer>>),
    Stopped,
}

impl<S: Source> Feed<S> {
    /// Goes on with what is open.
    pub(crate) fn over(source: Arc<S>, consumer: S::Consumer) -> Self {
        Self { source, state: State::Open(Box::new(consumer)), chore: None }
    }

    pub(crate) fn source(&self) -> &Arc<S> {
        &self.source
    }

    /// Ends it: gives back what was not handed out.
    pub(crate) async fn stop(&mut self) {
        if let State::Open(consumer) = std::mem::replace(&mut self.state, State::Stopped) {
            consumer.give_back().await;
        }
    }

    /// # Cancel safety
    /// Cancel safe: whatever was begun goes on with the next call.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some(chore) = &mut self.chore {
                chore.await;
                self.chore = None;
            }
            match &mut self.state {
                State::Opening(opening) => {
                    let consumer = opening.await;
                    self.state = State::Open(consumer);
                }
                State::Open(consumer) => match consumer.next().await {
                    Ok(message) => {
                        if let Some(received) = self.take(message) {
                            return Some(received);
                        }
                    }
                    Err(Broken(why)) => self.reopen(&why),
                },
                State::Stopped => return None,
            }
        }
    }

    fn reopen(&mut self, why: &str) {
        tracing::info!(consumer = self.source.name(), why, "the consumer is opened again");
        let old = std::mem::replace(&mut self.state, State::Opening(Box::pin(open_again(Arc::clone(&self.source)))));
        if let State::Open(consumer) = old {
            self.chore = Some(Box::pin(consumer.give_back()));
        }
    }

    /// What a subscriber gets to see of a message, if anything.
    fn take(&mut self, message: S::Message) -> Option<Received> {
        let (envelope, delivered) = match self.source.read(&message) {
            Reading::Event(envelope, delivered) => (envelope, delivered),
            Reading::Poison(poison) => {
                self.bury(message, poison);
                return None;
            }
            Reading::Foreign => {
                let source = Arc::clone(&self.source);
                // If it fails, the message comes again and is none of ours again.
                self.chore = Some(Box::pin(async move { drop(source.accept(message).await) }));
                return None;
            }
        };
        // One more than it may have: nobody answered the last time, so nobody made a dead letter of it.
        if delivered > 1 && self.source.retry().delay_after(delivered - 1).is_none() {
            let reason = format!("it was delivered {} times, and the last time nobody answered", delivered - 1);
            self.bury(message, Poison::new(reason, delivered - 1));
            return None;
        }
        let acknowledgement = Acknowledgement::new(Arc::clone(&self.source), message, delivered);
        Some(Received::new(envelope, Box::new(acknowledgement)).delivered(delivered))
    }

    fn bury(&mut self, message: S::Message, poison: Poison) {
        let source = Arc::clone(&self.source);
        // A failure was logged, and the message comes again.
        self.chore = Some(Box::pin(async move { drop(source.bury(message, poison).await) }));
    }
}

impl<S: Source> Drop for Feed<S> {
    fn drop(&mut self) {
        // Without a runtime the broker finds out by itself that nobody is there.
        if let (State::Open(consumer), Ok(runtime)) =
            (std::mem::replace(&mut self.state, State::Stopped), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(consumer.give_back());
        }
    }
}

/// Tries until it works.
async fn open_again<S: Source>(source: Arc<S>) -> Box<S::Consumer> {
    let pauses = RetryPolicy::default().attempts(u32::MAX).backoff(Backoff::Exponential { first: FIRST_PAUSE, max: LAST_PAUSE });
    let mut failed = 0u32;
    loop {
        match source.open(Opening::Again).await {
            Ok(consumer) => return Box::new(consumer),
            Err(failure) => {
                tracing::warn!(consumer = source.name(), error = failure.text(), "the consumer cannot be opened; it is tried again");
            }
        }
        failed = failed.saturating_add(1).min(u32::MAX - 1);
        // Full jitter may be no pause at all.
        tokio::time::sleep(pauses.delay_after(failed).unwrap_or(LAST_PAUSE).max(FIRST_PAUSE / 4)).await;
    }
}
