//! Sends events to a stream: all of a batch at once, then one confirmation each.

use super::builder::{NatsBuilder, Settings};
use super::consumer::NatsSubscriptionBuilder;
use super::link::{Link, Report};
use super::{NAME, stream};
use crate::{ConnectError, Topology, failure::Failure, headers::Binding};
use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::jetstream::{message::PublishMessage, publish::PublishAck};
use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, Transport};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use std::{error::Error as _, fmt, future::IntoFuture};
use tokio::task::unconstrained;

/// How many events of a batch wait for their confirmation at the same time.
const IN_FLIGHT: usize = 1_024;

/// A stream of NATS JetStream as a transport. Clones share one connection, which restores itself.
///
/// An event is sent when the stream has confirmed that it stored it. See the [module](crate::nats) for what goes where.
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::nats::Nats;
///
/// let nats = Nats::connect("nats://127.0.0.1:4222").await?;
/// // Outbox::builder(pool).transport(nats) ..
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Nats(Arc<Shared>);

pub(super) struct Shared {
    pub(super) link: Link,
    pub(super) settings: Settings,
    /// Whether the stream was seen since we began.
    prepared: AtomicBool,
}

impl Nats {
    /// Connects with all options at their defaults: [`builder`](Self::builder) has them.
    ///
    /// # Errors
    /// The URL is malformed, the server is away or refuses the credentials, or the stream cannot be made.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Options for a connection to `nats://user:password@host:port`, to `nats://token@host`, or by TLS to `tls://..`; several servers of a
    /// cluster are separated by commas. Signs that mean something in a URL are percent-encoded in credentials.
    pub fn builder(url: &str) -> NatsBuilder {
        NatsBuilder::new(url)
    }

    /// Options for the subscription of a durable consumer. All that subscribe by one name, in whatever process, share its events.
    pub fn subscribe(&self, consumer: impl Into<String>) -> NatsSubscriptionBuilder {
        NatsSubscriptionBuilder::new(Arc::clone(&self.0), consumer.into())
    }

    /// Whether the connection is there at the moment; for a readiness check. Sending needs no check: what cannot be sent is unavailable.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.link.is_up()
    }

    pub(super) fn over(link: Link, settings: Settings) -> Self {
        Self(Arc::new(Shared { link, settings, prepared: AtomicBool::new(false) }))
    }

    pub(super) async fn prepare(&self) -> Result<(), ConnectError> {
        self.0.prepare().await.map_err(|failure| failure.for_start(NAME, self.0.link.address()))
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("settings", &self.0.settings).field("connected", &self.0.link.is_up()).finish()
    }
}

#[async_trait]
impl Transport for Nats {
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
        let mut sent = self.0.publish(batch).await;
        self.0.attend_to_homeless(batch, &mut sent).await;
        sent.into_iter().map(|sent| sent.map_err(|failure| failure.for_delivery())).collect()
    }
}

/// Why an event was not confirmed.
enum Unsent {
    Failed(Failure),
    /// No stream takes its subject.
    Homeless {
        subject: String,
    },
}

impl Unsent {
    fn for_delivery(&self) -> DeliveryError {
        match self {
            Self::Failed(failure) => failure.for_delivery(),
            Self::Homeless { subject } => DeliveryError::unavailable(format!("no stream of {NAME} answers for subject `{subject}`")),
        }
    }
}

type Sent = Result<(), Unsent>;

impl Shared {
    async fn prepare(&self) -> Result<(), Failure> {
        stream::prepare(&self.link, &self.settings).await?;
        self.prepared.store(true, Relaxed);
        Ok(())
    }

    async fn prepare_once(&self) -> Result<(), Failure> {
        self.link.revive().await;
        self.link.check()?;
        if self.prepared.load(Relaxed) { Ok(()) } else { self.prepare().await }
    }

    /// Publishes everything and waits for the confirmations; one result each.
    async fn publish(&self, batch: &[Arc<Envelope>]) -> Vec<Sent> {
        let mut batch = Batch {
            shared: self,
            results: batch.iter().map(|_| None).collect(),
            open: 0,
            subjects: vec![String::new(); batch.len()],
            envelopes: batch,
        };
        batch.run().await;
        let lost = || Err(Unsent::Failed(self.link.away("the connection was lost before it confirmed")));
        batch.results.into_iter().map(|result| result.unwrap_or_else(lost)).collect()
    }

    /// Nobody stored these: makes the stream if that is ours to do and tries once more, or finds out why.
    async fn attend_to_homeless(&self, batch: &[Arc<Envelope>], sent: &mut [Sent]) {
        let homeless: Vec<usize> = (0..sent.len()).filter(|n| matches!(sent[*n], Err(Unsent::Homeless { .. }))).collect();
        if homeless.is_empty() {
            return;
        }
        match self.settings.topology {
            Topology::Create => {
                let again: Vec<_> = homeless.iter().map(|n| Arc::clone(&batch[*n])).collect();
                let results = match self.prepare().await {
                    Ok(()) => self.publish(&again).await,
                    Err(failure) => again.iter().map(|_| Err(Unsent::Failed(failure.clone()))).collect(),
                };
                for (n, result) in homeless.into_iter().zip(results) {
                    sent[n] = result;
                }
            }
            Topology::Check => {
                for n in homeless {
                    if let Err(Unsent::Homeless { subject }) = &sent[n] {
                        sent[n] = Err(Unsent::Failed(stream::explain(&self.link, &self.settings, subject).await));
                    }
                }
            }
        }
    }

    /// The message that carries `envelope`.
    fn message(&self, envelope: &Envelope) -> PublishMessage {
        // Names and values are percent-encoded, so that each of them is a header that NATS takes.
        let headers: HeaderMap = Binding::NATS
            .headers(envelope)
            .into_iter()
            .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)))
            .collect();
        // Without the name of the stream, another one whose subjects overlap would confirm it.
        PublishMessage::build()
            .headers(headers)
            .payload(envelope.payload.clone())
            .message_id(envelope.id.to_string())
            .expected_stream(&self.settings.stream)
    }

    /// What a refusal means for the event that was published to `subject`.
    fn unsent(&self, envelope: &Envelope, subject: &str, error: &PublishError) -> Unsent {
        let event = format!("event {} on topic `{}`", envelope.id, envelope.topic);
        let stream = &self.settings.stream;
        Unsent::Failed(match error.kind() {
            PublishErrorKind::StreamNotFound => return Unsent::Homeless { subject: subject.to_owned() },
            PublishErrorKind::MaxPayloadExceeded => Failure::hopeless(format!(
                "{event} is larger than {NAME} takes: {} bytes and its headers, of at most {}; raise `max_payload` of the server, or publish less",
                envelope.payload.len(),
                self.link.client().max_payload()
            )),
            PublishErrorKind::TimedOut => {
                self.link.away(&format!("stream `{stream}` did not confirm within {:?}", self.settings.ack_timeout))
            }
            _ if !self.link.is_up() => self.link.away("the connection was lost before it confirmed"),
            PublishErrorKind::BrokenPipe => self.link.away("the connection was lost before it confirmed"),
            _ => match error.source().and_then(|source| source.downcast_ref::<jetstream::Error>()) {
                Some(said) => self.refused(&event, subject, said),
                None => Failure::passing(format!("{event} cannot be published to {NAME}: {error}")),
            },
        })
    }

    fn refused(&self, event: &str, subject: &str, said: &jetstream::Error) -> Failure {
        let stream = &self.settings.stream;
        match said.error_code() {
            ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
                Failure::hopeless(format!("{event} is larger than stream `{stream}` takes; raise its `max_msg_size`, or publish less"))
            }
            ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => {
                Failure::hopeless(format!("{event} has more than 64 KiB of headers, which no stream of {NAME} takes; shorten them"))
            }
            ErrorCode::STREAM_NOT_MATCH => Failure::hopeless(format!(
                "{event} would be stored by another stream than `{stream}`, because that one has subject `{subject}`; change the prefix, or that stream"
            )),
            // Full, without a leader, short of memory: the whole stream takes nothing for now.
            _ if said.code() >= 500 => self.link.away(&format!("stream `{stream}` takes nothing: {said}")),
            _ => Failure::hopeless(format!("{event} is refused by stream `{stream}`: {said}")),
        }
    }
}

type Ack = Result<PublishAck, PublishError>;

/// A batch on its way.
struct Batch<'a> {
    shared: &'a Shared,
    envelopes: &'a [Arc<Envelope>],
    /// Where each was published to.
    subjects: Vec<String>,
    results: Vec<Option<Sent>>,
    /// How many were published and have no result yet.
    open: usize,
}

impl Batch<'_> {
    async fn run(&mut self) {
        // From before the first is published: whatever happens to one of them is heard.
        let mut reports = self.shared.link.reports();
        let mut acks = FuturesUnordered::new();
        let mut next = 0;
        while next < self.envelopes.len() || self.open > 0 {
            // A report may have come while we waited for a place in the line of the connection.
            let mut report = reports.try_recv().ok();
            if report.is_none() {
                if next < self.envelopes.len() && self.open < IN_FLIGHT {
                    acks.extend(self.publish(next).await);
                    next += 1;
                } else {
                    tokio::select! {
                        biased;
                        Some((n, ack)) = acks.next() => self.settle(n, ack),
                        heard = reports.recv() => report = heard.ok(),
                    }
                }
            }
            match report {
                None => {}
                Some(Report::Refused(subject)) => self.refuse(&subject),
                Some(Report::Lost) => {
                    // What was confirmed before is here already; no more will come.
                    while let Some(Some((n, ack))) = unconstrained(acks.next()).now_or_never() {
                        self.settle(n, ack);
                    }
                    return;
                }
            }
        }
    }

    /// Publishes the event at place `n`; its confirmation is to come.
    async fn publish(&mut self, n: usize) -> Option<impl Future<Output = (usize, Ack)> + use<>> {
        let (shared, envelope) = (self.shared, &self.envelopes[n]);
        let subject = match shared.settings.subjects.of_topic(&envelope.topic) {
            Ok(subject) => subject,
            Err(unfit) => {
                self.results[n] = Some(Err(Unsent::Failed(Failure::hopeless(unfit))));
                return None;
            }
        };
        match shared.link.jetstream().send_publish(subject.clone(), shared.message(envelope)).await {
            Ok(ack) => {
                self.subjects[n] = subject;
                self.open += 1;
                let ack = ack.into_future();
                Some(async move { (n, ack.await) })
            }
            Err(error) => {
                self.results[n] = Some(Err(shared.unsent(envelope, &subject, &error)));
                None
            }
        }
    }

    fn settle(&mut self, n: usize, ack: Ack) {
        let sent = ack.map(drop).map_err(|error| self.shared.unsent(&self.envelopes[n], &self.subjects[n], &error));
        self.close(n, sent);
    }

    /// The server will not confirm what was published to `subject`.
    fn refuse(&mut self, subject: &str) {
        for n in 0..self.results.len() {
            if self.subjects[n] == subject {
                let said = format!(
                    "{NAME} at {} does not let this user publish to `{subject}` (topic `{}`); grant it",
                    self.shared.link.address(),
                    self.envelopes[n].topic
                );
                self.close(n, Err(Unsent::Failed(Failure::hopeless(said))));
            }
        }
    }

    /// The first result counts.
    fn close(&mut self, n: usize, sent: Sent) {
        if self.results[n].is_none() {
            self.results[n] = Some(sent);
            self.open -= 1;
        }
    }
}
