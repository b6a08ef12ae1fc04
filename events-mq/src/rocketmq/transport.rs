//! Sends events to a topic: many of a batch at the same time, one confirmation each.

use super::builder::RocketMqBuilder;
use super::consumer::RocketMqSubscriptionBuilder;
use super::link::Link;
use super::message::Outgoing;
use super::request::{Answer, Request, answer};
use super::route::{self, Queue};
use super::two_phase::Attendance;
use super::{NAME, queue};
use crate::{ConnectError, Topology, failure::Failure};
use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, Transport};
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How many events of a batch wait for their confirmation at the same time.
const IN_FLIGHT: usize = 64;
/// How many events without a key go to one queue before the next gets some: as many as a reader gets at once.
const NEIGHBOURS: usize = 32;
/// How long after a broker said that it is busy an event is sent again.
const PAUSE: Duration = Duration::from_millis(50);
/// For how long what the name servers said is believed.
const BELIEVED: Duration = Duration::from_secs(30);

/// A topic of RocketMQ as a transport. Clones share one connection, which restores itself.
///
/// An event is sent when its broker has confirmed that it stored it. See the [module](crate::rocketmq) for what goes where.
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::rocketmq::RocketMq;
///
/// let rocketmq = RocketMq::connect("rocketmq://127.0.0.1:9876").await?;
/// // Outbox::builder(pool).transport(rocketmq) ..
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RocketMq(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) link: Link,
    /// Where events can be sent, and since when that is known.
    queues: RwLock<Option<(Arc<[Queue]>, Instant)>>,
    /// Which queue is next for an event without a key.
    turn: AtomicUsize,
    /// Who answers when brokers ask about transactions.
    pub(super) attendance: OnceLock<Attendance>,
}

impl RocketMq {
    /// Connects with all options at their defaults: [`builder`](Self::builder) has them.
    ///
    /// # Errors
    /// The URL is malformed, nobody answers, the credentials are refused, or the topic cannot be made.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Options for the way to `rocketmq://accesskey:secret@nameserver:9876`; several name servers are separated by commas. Signs that mean
    /// something in a URL are percent-encoded in credentials.
    pub fn builder(url: &str) -> RocketMqBuilder {
        RocketMqBuilder::new(url)
    }

    /// Options for the subscription of a group of consumers. All that subscribe by one name, in whatever process, share its events.
    pub fn subscribe(&self, group: impl Into<String>) -> RocketMqSubscriptionBuilder {
        RocketMqSubscriptionBuilder::new(Arc::clone(&self.0), group.into())
    }

    pub(super) fn over(link: Link) -> Self {
        Self(Arc::new(Shared { link, queues: RwLock::default(), turn: AtomicUsize::new(0), attendance: OnceLock::new() }))
    }

    pub(super) async fn prepare(&self) -> Result<(), ConnectError> {
        let link = &self.0.link;
        let for_start = |failure: Failure| failure.for_start(NAME, link.address());
        // Name servers take everybody; only brokers ask who we are.
        let masters = route::masters(link).await.map_err(for_start)?;
        let Some(broker) = masters.first() else {
            return Err(for_start(route::nobody(link)));
        };
        link.sign_in(broker).await?;
        self.0.prepare().await.map(drop).map_err(for_start)
    }
}

impl fmt::Debug for RocketMq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocketMq").field("settings", self.0.link.settings()).finish()
    }
}

#[async_trait]
impl Transport for RocketMq {
    fn name(&self) -> &str {
        &self.0.link.settings().name
    }

    /// Large, because many confirmations are on their way at the same time.
    fn max_batch(&self) -> usize {
        512
    }

    /// A broker that is away makes the rest of the batch that is meant for it unavailable at once.
    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let sent = match self.0.queues().await {
            Ok(queues) => self.0.send(batch, &queues).await,
            Err(failure) => batch.iter().map(|_| Err(Unsent::Failed(failure.clone()))).collect(),
        };
        let sent = self.0.attend_to_homeless(batch, sent).await;
        sent.into_iter().map(|sent| sent.map_err(|unsent| unsent.failure(&self.0.link).for_delivery())).collect()
    }
}

/// Why an event was not confirmed.
enum Unsent {
    Failed(Failure),
    /// The broker does not know the topic.
    Homeless,
}

impl Unsent {
    fn failure(self, link: &Link) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Homeless => route::missing(link, &link.settings().topic),
        }
    }
}

type Sent = Result<(), Unsent>;

impl Shared {
    /// Where events can be sent, made or asked for anew.
    async fn prepare(&self) -> Result<Arc<[Queue]>, Failure> {
        let (topic, queues) = (&self.link.settings().topic, self.link.settings().queues);
        let route = route::prepare(&self.link, topic, queues).await?;
        if route.write.is_empty() {
            return Err(self.link.away(self.link.address(), &format!("no broker that takes topic `{topic}` is there")));
        }
        let queues: Arc<[Queue]> = route.write.into();
        *self.queues.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&queues), Instant::now()));
        Ok(queues)
    }

    pub(super) async fn queues(&self) -> Result<Arc<[Queue]>, Failure> {
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((queues, since)) if since.elapsed() < BELIEVED => Ok(queues),
            // The brokers may be there although the name servers are not.
            Some((queues, _)) => Ok(self.prepare().await.unwrap_or(queues)),
            None => self.prepare().await,
        }
    }

    fn forget_queues(&self) {
        if let Some((_, since)) = &mut *self.queues.write().unwrap_or_else(PoisonError::into_inner) {
            *since = since.checked_sub(BELIEVED).unwrap_or(*since);
        }
    }

    /// Sends everything and waits for the confirmations; one result each.
    async fn send(&self, batch: &[Arc<Envelope>], queues: &[Queue]) -> Vec<Sent> {
        // Brokers that are away, and why: nobody waits for them twice.
        let away: Mutex<HashMap<Arc<str>, Failure>> = Mutex::default();
        let away = &away;
        let sending = batch.iter().cloned().map(|envelope| async move {
            let queue = self.queue(&envelope, queues);
            let known = lock(away).get(&queue.address).cloned();
            if let Some(failure) = known {
                return Err(Unsent::Failed(failure));
            }
            let sent = self.send_one(&envelope, queue).await;
            if let Err(Unsent::Failed(failure)) = &sent
                && failure.is_away()
            {
                lock(away).entry(Arc::clone(&queue.address)).or_insert_with(|| failure.clone());
            }
            sent
        });
        let sent = stream::iter(sending).buffered(IN_FLIGHT).collect().await;
        if !lock(away).is_empty() {
            // It may have gone elsewhere.
            self.forget_queues();
        }
        sent
    }

    async fn send_one(&self, envelope: &Envelope, queue: &Queue) -> Sent {
        let settings = self.link.settings();
        let message = Outgoing::of(envelope, settings.max_message_size).map_err(|unfit| Unsent::Failed(Failure::hopeless(unfit)))?;
        let request = message.request(&settings.producer_group, &settings.topic, queue);
        let answer = self.ask_in_time(queue, request).await.map_err(Unsent::Failed)?;
        self.judge(envelope, queue, &answer)
    }

    /// Has a message stored that is not shown yet.
    pub(super) async fn deliver(&self, envelope: &Envelope, queue: &Queue, request: Request) -> Result<Answer, Failure> {
        let answer = self.ask_in_time(queue, request).await?;
        match self.judge(envelope, queue, &answer) {
            Ok(()) => Ok(answer),
            Err(unsent) => {
                self.forget_queues();
                Err(unsent.failure(&self.link))
            }
        }
    }

    /// Asks until the broker has time.
    async fn ask_in_time(&self, queue: &Queue, request: Request) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.link.settings().ack_timeout;
        loop {
            let answer = self.link.ask(&queue.address, request.clone()).await?;
            // It stored nothing, because it had more to do than it could: it asks for a pause.
            if answer.code() != answer::SYSTEM_BUSY || Instant::now() + PAUSE >= deadline {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What the broker's answer means.
    fn judge(&self, envelope: &Envelope, queue: &Queue, answer: &Answer) -> Sent {
        let topic = &self.link.settings().topic;
        let event = format!("event {} on topic `{}`", envelope.id, envelope.topic);
        Err(match answer.code() {
            answer::SUCCESS => return Ok(()),
            answer::TOPIC_NOT_EXIST => Unsent::Homeless,
            // It has the event, but not as safely as it was set up to.
            answer::FLUSH_DISK_TIMEOUT | answer::FLUSH_SLAVE_TIMEOUT | answer::SLAVE_NOT_AVAILABLE => Unsent::Failed(
                self.link.away(&queue.address, &format!("it did not store the events as safely as it was set up to: {}", answer.said())),
            ),
            answer::MESSAGE_ILLEGAL => Unsent::Failed(Failure::hopeless(format!(
                "{event} is larger than {NAME} at {} takes, or malformed; raise its `maxMessageSize`, or publish less: {}",
                queue.address,
                answer.said()
            ))),
            _ => Unsent::Failed(self.link.refused(&queue.address, &format!("send to topic `{topic}`: {event}"), answer)),
        })
    }

    /// Their topic is not there: makes it if that is ours to do, and tries once more.
    async fn attend_to_homeless(&self, batch: &[Arc<Envelope>], mut sent: Vec<Sent>) -> Vec<Sent> {
        let homeless: Vec<usize> = (0..sent.len()).filter(|n| matches!(sent[*n], Err(Unsent::Homeless))).collect();
        if homeless.is_empty() || self.link.settings().topology == Topology::Check {
            return sent;
        }
        let again: Vec<_> = homeless.iter().map(|n| Arc::clone(&batch[*n])).collect();
        let results = match self.make_again().await {
            Ok(queues) => self.send(&again, &queues).await,
            Err(failure) => again.iter().map(|_| Err(Unsent::Failed(failure.clone()))).collect(),
        };
        for (n, result) in homeless.into_iter().zip(results) {
            sent[n] = result;
        }
        sent
    }

    /// A name server may still believe in a topic that its broker has lost.
    async fn make_again(&self) -> Result<Arc<[Queue]>, Failure> {
        route::create(&self.link, &self.link.settings().topic, self.link.settings().queues).await?;
        self.prepare().await
    }

    /// Events of a key have a queue, and events without one go to each queue in turn.
    pub(super) fn queue<'a>(&self, envelope: &Envelope, queues: &'a [Queue]) -> &'a Queue {
        match &envelope.key {
            Some(key) => &queues[queue::of_key(key, queues.len())],
            None => &queues[self.turn.fetch_add(1, Relaxed) / NEIGHBOURS % queues.len()],
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
