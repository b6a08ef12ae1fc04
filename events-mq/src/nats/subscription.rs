//! Receives events from a durable consumer, and opens it again whenever it breaks.

use super::acknowledgement::Acknowledgement;
use super::consumer::Plan;
use super::dead_letters::{Poison, bury};
use super::pull::{Broken, Opening, Pull};
use super::subject;
use super::transport::Shared;
use crate::headers::Binding;
use async_nats::jetstream::Message;
use async_trait::async_trait;
use events_core::{Backoff, BoxFuture, Received, RetryPolicy, Subscription};
use std::{fmt, sync::Arc, time::Duration};

/// The pauses between attempts to open a consumer again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// The events of a durable consumer; made by [`Nats::subscribe`](super::Nats::subscribe).
///
/// It never ends by itself: while the server is away it waits, and tries again. Dropped, it gives back what it has prefetched, so that
/// others of its consumer get it at once; what it has handed out can still be acknowledged.
///
/// What is no event, or has used up its deliveries, is moved to the subject `<prefix>.dead.<consumer>` with the headers
/// `Events-Dead-Reason`, `Events-Dead-Deliveries` and `Events-Dead-Subject`, and `next` goes on with what follows.
pub struct NatsSubscription {
    shared: Arc<Shared>,
    plan: Arc<Plan>,
    state: State,
    /// The end of a message that nobody gets. It is kept here, so that `next` can be cancelled.
    chore: Option<BoxFuture<'static, ()>>,
}

enum State {
    Open(Box<Pull>),
    Opening(BoxFuture<'static, Box<Pull>>),
    Stopped,
}

impl NatsSubscription {
    pub(super) fn over(shared: Arc<Shared>, plan: Plan, pull: Pull) -> Self {
        Self { shared, plan: Arc::new(plan), state: State::Open(Box::new(pull)), chore: None }
    }

    /// Ends it: gives back what was prefetched, and waits until the server has been told, also of earlier acknowledgements.
    pub async fn stop(mut self) {
        if let State::Open(pull) = std::mem::replace(&mut self.state, State::Stopped) {
            pull.give_back().await;
        }
        if self.shared.link.is_up() {
            // A server that goes away meanwhile needs not be told.
            let _ = tokio::time::timeout(self.shared.settings.ack_timeout, self.shared.link.client().flush()).await;
        }
    }

    fn reopen(&mut self, why: &str) {
        tracing::info!(consumer = self.plan.consumer, why, "the consumer is opened again");
        let (shared, plan) = (Arc::clone(&self.shared), Arc::clone(&self.plan));
        let old = std::mem::replace(&mut self.state, State::Opening(Box::pin(open_again(shared, plan))));
        if let State::Open(pull) = old {
            self.chore = Some(Box::pin(pull.give_back()));
        }
    }

    /// What a subscriber gets to see of a message, if anything.
    fn take(&mut self, message: Message) -> Option<Received> {
        let Ok(info) = message.info() else {
            tracing::warn!(subject = %message.subject, "a message that JetStream did not deliver is left out");
            return None;
        };
        let delivered = u32::try_from(info.delivered).unwrap_or(u32::MAX);
        if self.shared.settings.subjects.is_dead(&message.subject) && !subject::asks_for_dead_letters(&self.plan.topics) {
            self.chore = Some(Box::pin(async move {
                let _ = message.ack().await;
            }));
            return None;
        }
        let headers = message.headers.iter().flat_map(|headers| headers.iter());
        let headers = headers.filter_map(|(name, values)| Some((name.as_ref(), values.last()?.as_str())));
        let envelope = match Binding::NATS.envelope(headers, message.payload.clone()) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.bury(message, error.to_string(), delivered);
                return None;
            }
        };
        // One more than it may have: nobody answered the last time, so nobody made a dead letter of it.
        if delivered > 1 && self.plan.retry.delay_after(delivered - 1).is_none() {
            self.bury(message, format!("it was delivered {} times, and the last time nobody answered", delivered - 1), delivered - 1);
            return None;
        }
        let acknowledgement = Acknowledgement::new(Arc::clone(&self.shared), Arc::clone(&self.plan), message, delivered);
        Some(Received::new(Arc::new(envelope), Box::new(acknowledgement)))
    }

    fn bury(&mut self, message: Message, reason: String, deliveries: u32) {
        let (shared, plan) = (Arc::clone(&self.shared), Arc::clone(&self.plan));
        self.chore = Some(Box::pin(async move {
            // A failure was logged, and the message comes again.
            let _ = bury(&shared, &plan, &message, &Poison { reason: &reason, deliveries }).await;
        }));
    }
}

#[async_trait]
impl Subscription for NatsSubscription {
    /// # Cancel safety
    /// Cancel safe: whatever was begun goes on with the next call.
    async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some(chore) = &mut self.chore {
                chore.await;
                self.chore = None;
            }
            match &mut self.state {
                State::Opening(opening) => {
                    let pull = opening.await;
                    self.state = State::Open(pull);
                }
                State::Open(pull) => match pull.next().await {
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
}

impl Drop for NatsSubscription {
    fn drop(&mut self) {
        // Without a runtime the server waits for `ack_wait`.
        if let (State::Open(pull), Ok(runtime)) =
            (std::mem::replace(&mut self.state, State::Stopped), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(pull.give_back());
        }
    }
}

impl fmt::Debug for NatsSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSubscription").field("stream", &self.shared.settings.stream).field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Tries until it works.
async fn open_again(shared: Arc<Shared>, plan: Arc<Plan>) -> Box<Pull> {
    let pauses = RetryPolicy::default().attempts(u32::MAX).backoff(Backoff::Exponential { first: FIRST_PAUSE, max: LAST_PAUSE });
    let mut failed = 0u32;
    loop {
        match plan.open(&shared, Opening::Again).await {
            Ok(pull) => return Box::new(pull),
            Err(failure) => {
                tracing::warn!(consumer = plan.consumer, error = failure.text(), "the consumer cannot be opened; it is tried again");
            }
        }
        failed = failed.saturating_add(1).min(u32::MAX - 1);
        tokio::time::sleep(pauses.delay_after(failed).unwrap_or(LAST_PAUSE).max(FIRST_PAUSE / 4)).await;
    }
}
