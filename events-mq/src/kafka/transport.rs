//! Sends events to topics: all of a batch at once, then one confirmation each.

use super::batch::Batch;
use super::builder::{KafkaBuilder, Settings};
use super::consumer::KafkaSubscriptionBuilder;
use super::refusal::{Unsent, refused};
use super::{NAME, producer::Producer};
use crate::{ConnectError, failure::Failure, headers::Binding};
use async_trait::async_trait;
use events_core::{DeliveryError, DeliveryErrorKind, Envelope, Transport};
use rdkafka::message::{Header, OwnedHeaders};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::{fmt, mem};

/// Kafka as a transport. Clones share one producer, which restores its connections.
///
/// An event is sent when all in-sync replicas of its partition have confirmed it. See the [module](crate::kafka) for what goes where.
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::kafka::Kafka;
///
/// let kafka = Kafka::connect("kafka://127.0.0.1:9092").await?;
/// // Outbox::builder(pool).transport(kafka) ..
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Kafka(Arc<Shared>);

pub(super) struct Shared {
    pub(super) settings: Settings,
    producer: RwLock<Arc<Producer>>,
    /// The topics that were seen since we began, or since one was gone.
    known: Mutex<HashSet<String>>,
    /// Held by who makes a topic.
    pub(super) making: tokio::sync::Mutex<()>,
}

impl Kafka {
    /// Connects with all options at their defaults: [`builder`](Self::builder) has them.
    ///
    /// # Errors
    /// The URL is malformed, no broker answers, or it refuses the credentials.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Options for a connection to `kafka://user:password@host:port,host:port`, or by TLS to `kafkas://..`. The hosts are where to ask first:
    /// the cluster tells about the others. Signs that mean something in a URL are percent-encoded in credentials.
    pub fn builder(url: &str) -> KafkaBuilder {
        KafkaBuilder::new(url)
    }

    /// Options for the subscription of a consumer group. All that subscribe by one name, in whatever process, share its events.
    pub fn subscribe(&self, group: impl Into<String>) -> KafkaSubscriptionBuilder {
        KafkaSubscriptionBuilder::new(Arc::clone(&self.0), group.into())
    }

    /// Asks whether a broker answers, for at most `ack_timeout`; for a readiness check. Sending needs no check: what cannot be sent is
    /// unavailable.
    pub async fn is_reachable(&self) -> bool {
        self.0.reach(self.0.settings.ack_timeout).await.is_ok()
    }

    pub(super) fn over(settings: Settings) -> Result<Self, ConnectError> {
        let producer = RwLock::new(Arc::new(Producer::open(&settings)?));
        Ok(Self(Arc::new(Shared { settings, producer, known: Mutex::default(), making: tokio::sync::Mutex::default() })))
    }

    /// Waits until a broker answers.
    pub(super) async fn greet(&self) -> Result<(), ConnectError> {
        let shared = &self.0;
        shared.reach(shared.settings.connect_timeout).await.map_err(|failure| shared.for_start(failure))
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Kafka {
    fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// Large, because all confirmations are on their way at the same time.
    fn max_batch(&self) -> usize {
        512
    }

    /// A broker that is lost while it confirms makes the rest of the batch unavailable.
    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let shared = &self.0;
        let homes = shared.homes(batch).await;
        let mut sent = Batch::new(shared, batch, &homes).run((0..batch.len()).collect()).await;
        shared.attend_to_homeless(batch, &homes, &mut sent).await;
        shared.attend_to_doubtful(batch, &homes, &mut sent).await;
        let results = sent.into_iter().zip(batch.iter().zip(&homes));
        results.map(|(sent, (envelope, home))| shared.result(sent, envelope, home)).collect()
    }
}

/// The Kafka topic of an event, or why it has none.
pub(super) type Home = Result<String, Failure>;
/// `None` for what a batch was not asked to send.
pub(super) type Sent = Option<Result<(), Unsent>>;

impl Shared {
    pub(super) fn producer(&self) -> Arc<Producer> {
        Arc::clone(&self.producer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins anew: `old` may have lost its way for good. Whoever still waits for its reports keeps it for so long.
    pub(super) fn replace(&self, old: &Arc<Producer>) {
        let mut current = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, old) {
            match Producer::open(&self.settings) {
                Ok(new) => *current = Arc::new(new),
                Err(error) => tracing::error!(%error, "the producer for {NAME} cannot be replaced; the old one goes on"),
            }
        }
    }

    pub(super) fn is_known(&self, topic: &str) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(topic)
    }

    pub(super) fn know(&self, topic: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned());
    }

    pub(super) fn forget(&self, topic: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    /// For who starts.
    pub(super) fn for_start(&self, failure: Failure) -> ConnectError {
        let address = self.settings.address_text.clone();
        if self.producer().ears().is_refused() {
            return ConnectError::Credentials { broker: NAME, address };
        }
        failure.for_start(NAME, &address)
    }

    /// Where the events of a batch go; makes what is missing if that is ours to do.
    async fn homes(self: &Arc<Self>, batch: &[Arc<Envelope>]) -> Vec<Home> {
        let mut prepared: BTreeMap<&str, Home> = BTreeMap::new();
        // The others would only wait as long as this one did.
        let mut away: Option<Failure> = None;
        let mut homes = Vec::with_capacity(batch.len());
        for envelope in batch {
            if !prepared.contains_key(&*envelope.topic) {
                let home = match (self.settings.topics.of_topic(&envelope.topic), &away) {
                    (Err(unfit), _) => Err(Failure::hopeless(unfit)),
                    (Ok(topic), Some(away)) if !self.is_known(&topic) => Err(away.clone()),
                    (Ok(topic), _) => self.prepare(&topic).await.map(|()| topic),
                };
                if let Err(failure) = &home
                    && failure.for_delivery().kind() == DeliveryErrorKind::Unavailable
                {
                    away = Some(failure.clone());
                }
                prepared.insert(&envelope.topic, home);
            }
            homes.push(prepared[&*envelope.topic].clone().map_err(|failure| about(envelope, failure)));
        }
        homes
    }

    /// Their topics are gone: makes them again if that is ours to do and tries once more, or says so.
    async fn attend_to_homeless(self: &Arc<Self>, batch: &[Arc<Envelope>], homes: &[Home], sent: &mut [Sent]) {
        let homeless: Vec<usize> = (0..sent.len()).filter(|n| matches!(sent[*n], Some(Err(Unsent::Homeless(_))))).collect();
        if homeless.is_empty() {
            return;
        }
        for home in homeless.iter().filter_map(|n| homes[*n].as_ref().ok()) {
            self.forget(home);
        }
        let again: Vec<_> = homeless.iter().map(|n| Arc::clone(&batch[*n])).collect();
        let homes = self.homes(&again).await;
        let results = Batch::new(self, &again, &homes).run((0..again.len()).collect()).await;
        for (n, result) in homeless.into_iter().zip(results) {
            sent[n] = result;
        }
    }

    /// A broker refuses all that was sent to it together because of one of them: each is sent alone before it is given up.
    async fn attend_to_doubtful(self: &Arc<Self>, batch: &[Arc<Envelope>], homes: &[Home], sent: &mut [Sent]) {
        for n in 0..sent.len() {
            if matches!(sent[n], Some(Err(Unsent::Doubtful(_)))) {
                let mut results = Batch::new(self, batch, homes).run(vec![n]).await;
                sent[n] = mem::take(&mut results[n]);
            }
        }
    }

    fn result(&self, sent: Sent, envelope: &Envelope, home: &Home) -> Result<(), DeliveryError> {
        let topic = home.as_deref().unwrap_or_default();
        let ears = self.producer();
        let ears = ears.ears();
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(Unsent::Failed(failure))) => Err(failure.for_delivery()),
            Some(Err(Unsent::Homeless(code) | Unsent::Doubtful(code))) => Err(refused(ears, envelope, topic, code).for_delivery()),
            None => Err(ears.away("it was not asked").for_delivery()),
        }
    }
}

/// The same failure, said of one event.
fn about(envelope: &Envelope, failure: Failure) -> Failure {
    match failure.for_delivery().kind() {
        DeliveryErrorKind::Terminal => {
            Failure::hopeless(format!("event {} on topic `{}` cannot be sent: {}", envelope.id, envelope.topic, failure.text()))
        }
        _ => failure,
    }
}

/// The headers that carry an envelope, unless Kafka would cut one of their names.
pub(super) fn headers(envelope: &Envelope) -> Result<OwnedHeaders, Failure> {
    let named = Binding::KAFKA.headers(envelope);
    if let Some((name, _)) = named.iter().find(|(name, _)| name.contains('\0')) {
        return Err(Failure::hopeless(format!("event {} has a header whose name holds NUL ({name:?}); rename it", envelope.id)));
    }
    let empty = OwnedHeaders::new_with_capacity(named.len());
    Ok(named.iter().fold(empty, |headers, (name, value)| headers.insert(Header { key: name, value: Some(value.as_bytes()) })))
}
