//! Sends events to an exchange, and finds out what became of each.

use super::builder::{RabbitMqBuilder, Settings};
use super::consumer::RabbitMqSubscriptionBuilder;
use super::link::Link;
use super::publish::{Answer, Letter, publish};
use super::wire::{Role, Wire};
use super::{NAME, message, names, queues};
use crate::{ConnectError, Topology, failure::Failure};
use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, Transport};
use lapin::protocol::{AMQPError, AMQPSoftError};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use std::{collections::HashSet, fmt};
use tokio::sync::OnceCell;

/// An exchange of RabbitMQ as a transport. Clones share two connections, which restore themselves.
///
/// An event is sent when every queue that takes it has confirmed that it stored it. See the [module](crate::rabbitmq) for what goes where.
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::rabbitmq::RabbitMq;
///
/// let rabbit = RabbitMq::builder("amqp://user:password@127.0.0.1:5672").queue("billing", "order.*").connect().await?;
/// // Outbox::builder(pool).transport(rabbit) ..
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RabbitMq(Arc<Shared>);

pub(super) struct Shared {
    pub(super) settings: Settings,
    /// What is published.
    pub(super) link: Link,
    /// What is consumed; nobody need do so.
    consuming: OnceCell<Link>,
    /// Whether the exchange was seen since we began.
    prepared: AtomicBool,
    /// The queues for retries that were made.
    made: Mutex<HashSet<String>>,
}

impl RabbitMq {
    /// Connects with all options at their defaults: [`builder`](Self::builder) has them.
    ///
    /// # Errors
    /// The URL is malformed, the server is away or refuses the credentials, or the exchange cannot be made.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Options for a connection to `amqp://user:password@host:port/vhost`, or by TLS to `amqps://..`; of several hosts, separated by commas,
    /// the first that answers. Signs that mean something in a URL are percent-encoded in credentials and in the virtual host, which is `/`
    /// by default.
    pub fn builder(url: &str) -> RabbitMqBuilder {
        RabbitMqBuilder::new(url)
    }

    /// Options for the subscription of a durable consumer. All that subscribe by one name, in whatever process, share its events.
    pub fn subscribe(&self, consumer: impl Into<String>) -> RabbitMqSubscriptionBuilder {
        RabbitMqSubscriptionBuilder::new(Arc::clone(&self.0), consumer.into())
    }

    /// Whether the connection is there at the moment; for a readiness check. Sending needs no check: what cannot be sent is unavailable.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.link.is_up()
    }

    pub(super) fn over(link: Link, settings: Settings) -> Self {
        let (consuming, prepared, made) = (OnceCell::new(), AtomicBool::new(false), Mutex::default());
        Self(Arc::new(Shared { settings, link, consuming, prepared, made }))
    }

    pub(super) async fn prepare(&self) -> Result<(), ConnectError> {
        self.0.prepare().await.map_err(|failure| failure.for_start(NAME, self.0.link.address()))
    }
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMq").field("settings", &self.0.settings).field("connected", &self.0.link.is_up()).finish()
    }
}

#[async_trait]
impl Transport for RabbitMq {
    fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// Large, because all confirmations are on their way at the same time.
    fn max_batch(&self) -> usize {
        512
    }

    /// A broker that loses its connection while it confirms makes the rest of the batch unavailable at once.
    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        if let Err(failure) = self.0.prepare_once().await {
            return batch.iter().map(|_| Err(failure.for_delivery())).collect();
        }
        let sent = self.0.send(batch).await;
        sent.into_iter().map(|sent| sent.map_err(|failure| failure.for_delivery())).collect()
    }
}

type Sent = Result<(), Failure>;

impl Shared {
    /// The queues for retries that were made.
    pub(super) fn made(&self) -> MutexGuard<'_, HashSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of consumers.
    pub(super) async fn consuming(&self) -> Result<&Link, Failure> {
        let open = || Link::open(self.settings.clone(), Role::Consumer);
        self.consuming.get_or_try_init(open).await.map_err(|error| match error {
            ConnectError::Unreachable { reason, .. } => self.link.away(&reason),
            other => Failure::hopeless(other.to_string()),
        })
    }

    async fn prepare(&self) -> Result<(), Failure> {
        let wire = self.link.wire()?;
        queues::prepare(&wire, &self.settings).await?;
        self.prepared.store(true, Relaxed);
        Ok(())
    }

    async fn prepare_once(&self) -> Result<(), Failure> {
        if self.prepared.load(Relaxed) { Ok(()) } else { self.prepare().await }
    }

    /// Publishes until every event has a result: a channel that is closed because of one of them takes the others with it.
    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Sent> {
        let mut results: Vec<Option<Sent>> = batch.iter().map(|_| None).collect();
        let mut made_again = self.settings.topology == Topology::Check;
        let mut wire = self.link.wire();
        loop {
            let open: Vec<usize> = (0..batch.len()).filter(|n| results[*n].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let (mut homeless, mut closed) = (Vec::new(), None);
            let answers = match &wire {
                Ok(wire) => self.publish(wire, batch, &open).await,
                Err(failure) => open.iter().map(|n| (*n, Err(failure.clone()))).collect(),
            };
            for (n, answer) in answers {
                match answer {
                    Ok(Answer::Stored) => results[n] = Some(Ok(())),
                    Ok(Answer::Refused) => results[n] = Some(Err(self.full(&batch[n]))),
                    Ok(Answer::Homeless) => homeless.push(n),
                    Ok(Answer::Closed(error)) => closed = Some(error),
                    Ok(Answer::Away(failure)) | Err(failure) => results[n] = Some(Err(failure)),
                }
            }
            // Perhaps somebody has deleted what was there.
            let missing = closed.as_ref().is_some_and(|error| queues::is(error, &AMQPSoftError::NOTFOUND));
            if (missing || !homeless.is_empty()) && !made_again {
                made_again = true;
                wire = self.link.wire_soon().await;
                if let Err(failure) = self.prepare().await {
                    settle(&mut results, |_| Some(failure.clone()));
                }
                continue;
            }
            for n in homeless {
                results[n] = Some(Err(self.homeless(&batch[n])));
            }
            if let Some(error) = closed {
                self.blame(batch, &mut results, &error);
                // What was on its way when the channel was closed may have ended the connection too.
                wire = self.link.wire_soon().await;
            }
        }
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(self.link.away("it did not answer")))).collect()
    }

    async fn publish(&self, wire: &Wire, batch: &[Arc<Envelope>], open: &[usize]) -> Vec<(usize, Result<Answer, Failure>)> {
        let (mut answers, mut letters, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for n in open {
            match self.letter(&batch[*n], wire.frame_max()) {
                Ok(letter) => {
                    letters.push(letter);
                    places.push(*n);
                }
                Err(failure) => answers.push((*n, Err(failure))),
            }
        }
        let published = publish(wire, self.settings.ack_timeout, &letters).await;
        answers.extend(places.into_iter().zip(published.into_iter().map(Ok)));
        answers
    }

    fn letter<'a>(&self, envelope: &'a Envelope, frame_max: usize) -> Result<Letter<'a>, Failure> {
        let hopeless = |why: String| Failure::hopeless(format!("{} {why}", event(envelope)));
        let most = self.settings.max_message_size;
        if envelope.payload.len() > most {
            let bytes = envelope.payload.len();
            return Err(hopeless(format!(
                "is larger than {NAME} takes: {bytes} bytes, of at most {most}; raise `max_message_size` of the server and of the builder, or publish less"
            )));
        }
        Ok(Letter {
            exchange: self.settings.names.exchange.as_str().into(),
            routing_key: names::routing_key(&envelope.topic).map_err(|why| hopeless(format!("cannot be sent: {why}")))?.into(),
            properties: message::properties(envelope, frame_max).map_err(hopeless)?,
            payload: &envelope.payload,
        })
    }

    /// Who caused the channel to be closed, of those that have no result.
    fn blame(&self, batch: &[Arc<Envelope>], results: &mut [Option<Sent>], error: &AMQPError) {
        let said = error.get_message().to_string();
        let open = || (0..batch.len()).filter(|n| results[*n].is_none());
        if queues::is(error, &AMQPSoftError::ACCESSREFUSED) {
            // With permissions on topics, the topic is named.
            let named: Vec<usize> = open().filter(|n| said.contains(&format!("topic '{}'", batch[*n].topic))).collect();
            let refused = |n: usize| Some(self.not_granted(&batch[n], &said));
            if named.is_empty() {
                settle(results, refused);
            } else {
                named.into_iter().for_each(|n| results[n] = refused(n).map(Err));
            }
            return;
        }
        if queues::is(error, &AMQPSoftError::PRECONDITIONFAILED)
            && let Some(most) = limit(&said)
        {
            let large: Vec<usize> = open().filter(|n| batch[*n].payload.len() > most).collect();
            if !large.is_empty() {
                for n in large {
                    results[n] = Some(Err(Failure::hopeless(format!(
                        "{} is larger than {NAME} at {} takes: {said}; raise its `max_message_size`, or tell the builder",
                        event(&batch[n]),
                        self.link.address()
                    ))));
                }
                return;
            }
        }
        let exchange = format!("exchange `{}`", self.settings.names.exchange);
        let failure = queues::refused(&self.settings, &exchange, error);
        settle(results, |_| Some(failure.clone()));
    }

    fn homeless(&self, envelope: &Envelope) -> Failure {
        let (address, exchange) = (self.link.address(), &self.settings.names.exchange);
        Failure::hopeless(format!(
            "no queue of {NAME} at {address} takes {} from exchange `{exchange}`; declare its consumers to the builder (`.queue(..)`), \
             subscribe before it is sent, or bind a queue",
            event(envelope)
        ))
    }

    fn full(&self, envelope: &Envelope) -> Failure {
        self.link.away(&format!("a queue that takes topic `{}` refuses to store; is it full?", envelope.topic))
    }

    fn not_granted(&self, envelope: &Envelope, said: &str) -> Failure {
        Failure::hopeless(format!(
            "{NAME} at {} does not let this user publish {}: {said}; grant it (`rabbitmqctl set_permissions` or `set_topic_permissions`)",
            self.link.address(),
            event(envelope)
        ))
    }
}

/// Gives all that have no result a failure.
fn settle(results: &mut [Option<Sent>], failure: impl Fn(usize) -> Option<Failure>) {
    for (n, result) in results.iter_mut().enumerate() {
        if result.is_none() {
            *result = failure(n).map(Err);
        }
    }
}

fn event(envelope: &Envelope) -> String {
    format!("event {} on topic `{}`", envelope.id, envelope.topic)
}

/// The last number of what the server says about a message that is too large.
fn limit(said: &str) -> Option<usize> {
    if !said.contains("message size") {
        return None;
    }
    said.rsplit(|sign: char| !sign.is_ascii_digit()).find(|number| !number.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_limit_is_read_from_what_it_says() {
        assert_eq!(limit("PRECONDITION_FAILED - message size 2000000 is larger than configured max size 1048576"), Some(1_048_576));
        assert_eq!(limit("PRECONDITION_FAILED - inequivalent arg 'x-message-ttl': received 7"), None);
        assert_eq!(limit("message size"), None);
    }
}
