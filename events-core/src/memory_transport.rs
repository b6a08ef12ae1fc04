//! A small broker inside the process: topics, subscribers, acknowledgements. It stores nothing.

use crate::transport::Acknowledge;
use crate::{BoxError, BoxFuture, DeliveryError, Envelope, Received, Subscription, Transport};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// How many unacknowledged events a subscriber may have before sending waits.
const QUEUE: usize = 256;

/// The broker of a single process: the embedded default, and a stand-in for a real broker in tests.
///
/// An event counts as sent once every subscriber of its topic has acknowledged it, so a crash loses nothing: what was not acknowledged
/// is still in the outbox. A topic without subscribers refuses its events, and the outbox retries them.
///
/// ```
/// # #[tokio::main] async fn main() {
/// use events_core::{MemoryTransport, Subscription};
///
/// let broker = MemoryTransport::new("broker");
/// let mut subscription = broker.subscribe("order.*");
/// tokio::spawn(async move {
///     while let Some(received) = subscription.next().await {
///         println!("{}", received.envelope().topic);
///         received.ack().await.ok();
///     }
/// });
/// // Outbox::builder(pool).transport(broker) ..
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryTransport(Arc<Broker>);

struct Broker {
    name: String,
    subscribers: Mutex<Vec<Subscriber>>,
}

#[derive(Clone)]
struct Subscriber {
    pattern: Arc<str>,
    queue: mpsc::Sender<Received>,
}

impl MemoryTransport {
    /// A broker without subscribers, whose name as a transport is `name`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(Arc::new(Broker { name: name.into(), subscribers: Mutex::default() }))
    }

    /// Subscribes to the topics that match `pattern`: `*` stands for one word between dots, a final `>` for all that follow.
    ///
    /// Every subscriber gets every event. Dropping the subscription ends it.
    #[must_use]
    pub fn subscribe(&self, pattern: impl Into<Arc<str>>) -> MemorySubscription {
        let (queue, events) = mpsc::channel(QUEUE);
        let mut subscribers = self.subscribers();
        subscribers.retain(|subscriber| !subscriber.queue.is_closed());
        subscribers.push(Subscriber { pattern: pattern.into(), queue });
        MemorySubscription { events }
    }

    fn subscribers(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.0.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `envelope` into the queues of its subscribers and returns their future answers.
    async fn enqueue(&self, envelope: &Arc<Envelope>) -> Result<Vec<oneshot::Receiver<Answer>>, DeliveryError> {
        let interested: Vec<Subscriber> = self
            .subscribers()
            .iter()
            .filter(|subscriber| !subscriber.queue.is_closed() && matches(&subscriber.pattern, &envelope.topic))
            .cloned()
            .collect();
        if interested.is_empty() {
            return Err(format!(
                "no subscriber of the in-process broker `{}` takes topic `{}`; call `.subscribe(..)` before the outbox starts, \
                 or mark the event `local`",
                self.0.name, envelope.topic
            )
            .into());
        }
        let mut answers = Vec::with_capacity(interested.len());
        for subscriber in interested {
            let (answer, answered) = oneshot::channel();
            let received = Received::new(Arc::clone(envelope), Box::new(Acknowledger(answer)));
            // A subscription that ended in the meantime drops the event, which is a refusal below.
            let _ = subscriber.queue.send(received).await;
            answers.push(answered);
        }
        Ok(answers)
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Small, because a batch is settled when its slowest event is acknowledged, and what is not settled is repeated after a crash.
    fn max_batch(&self) -> usize {
        16
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let mut sent = Vec::with_capacity(batch.len());
        for envelope in batch {
            sent.push(self.enqueue(envelope).await);
        }
        let mut results = Vec::with_capacity(batch.len());
        for answers in sent {
            results.push(match answers {
                Ok(answers) => all_acknowledged(answers).await,
                Err(error) => Err(error),
            });
        }
        results
    }
}

async fn all_acknowledged(answers: Vec<oneshot::Receiver<Answer>>) -> Result<(), DeliveryError> {
    for answer in answers {
        match answer.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err("a subscriber dropped the event without acknowledging it".into()),
        }
    }
    Ok(())
}

/// A subscription to a [`MemoryTransport`].
pub struct MemorySubscription {
    events: mpsc::Receiver<Received>,
}

#[async_trait]
impl Subscription for MemorySubscription {
    async fn next(&mut self) -> Option<Received> {
        self.events.recv().await
    }
}

type Answer = Result<(), DeliveryError>;

struct Acknowledger(oneshot::Sender<Answer>);

impl Acknowledge for Acknowledger {
    fn ack(self: Box<Self>) -> BoxFuture<'static, Result<(), BoxError>> {
        let told = self.0.send(Ok(())).map_err(|_| "the outbox stopped waiting for the acknowledgement".into());
        Box::pin(async move { told })
    }

    fn nack(self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        let told = self.0.send(Err(reason.into())).map_err(|_| "the outbox stopped waiting for the acknowledgement".into());
        Box::pin(async move { told })
    }

    /// To the dead letters of the outbox that sent it: there is no other place.
    fn bury(self: Box<Self>, reason: BoxError) -> BoxFuture<'static, Result<(), BoxError>> {
        let told =
            self.0.send(Err(DeliveryError::terminal(reason))).map_err(|_| "the outbox stopped waiting for the acknowledgement".into());
        Box::pin(async move { told })
    }
}

/// Whether `topic` matches `pattern`; NATS's rules.
fn matches(pattern: &str, topic: &str) -> bool {
    let (mut pattern, mut topic) = (pattern.split('.'), topic.split('.'));
    loop {
        match (pattern.next(), topic.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(word), Some(other)) if word == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Headers};
    use bytes::Bytes;

    fn envelope(topic: &'static str) -> Arc<Envelope> {
        Arc::new(Envelope {
            id: EventId::now(),
            topic: topic.into(),
            version: 1,
            key: None,
            occurred_at: time::OffsetDateTime::UNIX_EPOCH,
            source: Arc::from("/test"),
            content_type: "application/json".into(),
            headers: Headers::new(),
            payload: Bytes::from_static(b"{}"),
        })
    }

    #[test]
    fn a_star_is_one_word_and_a_final_arrow_is_the_rest() {
        assert!(matches("order.payok", "order.payok"));
        assert!(matches("order.*", "order.payok"));
        assert!(!matches("order.*", "order.payok.eu"));
        assert!(matches("order.>", "order.payok.eu"));
        assert!(!matches("order.>", "order"));
        assert!(!matches("order", "order.payok"));
    }

    #[tokio::test]
    async fn an_event_is_sent_once_every_subscriber_has_acknowledged_it() {
        let broker = MemoryTransport::new("broker");
        let (mut first, mut second) = (broker.subscribe("a"), broker.subscribe(">"));
        let sending = tokio::spawn(async move { broker.send(&[envelope("a")]).await });
        first.next().await.unwrap().ack().await.unwrap();
        let received = second.next().await.unwrap();
        assert!(!sending.is_finished());
        received.ack().await.unwrap();
        assert!(sending.await.unwrap()[0].is_ok());
    }

    #[tokio::test]
    async fn a_dropped_event_is_refused() {
        let broker = MemoryTransport::new("broker");
        let mut subscription = broker.subscribe("a");
        let sending = tokio::spawn(async move { broker.send(&[envelope("a")]).await });
        drop(subscription.next().await);
        assert!(sending.await.unwrap().remove(0).unwrap_err().report().contains("without acknowledging"));
    }

    #[tokio::test]
    async fn a_topic_without_subscribers_refuses_its_events() {
        let results = MemoryTransport::new("broker").send(&[envelope("a")]).await;
        assert!(results[0].as_ref().unwrap_err().report().contains("no subscriber of the in-process broker `broker` takes topic `a`"));
    }
}
