//! Sends events to a stream: in chunks, several of them on their way at the same time, one reply per event.

use super::builder::{RedisStreamsBuilder, Settings};
use super::entry::{self, Fields};
use super::group::RedisStreamsSubscriptionBuilder;
use super::{NAME, link::Link, said};
use crate::{ConnectError, Topology, failure::Failure};
use ::redis::{Cmd, Pipeline, Value};
use async_trait::async_trait;
use events_core::{DeliveryError, Envelope, Transport};
use futures_util::{StreamExt, stream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, ops::Range};

/// How many events a chunk has at most, and how many bytes if it has more than one.
const CHUNK: usize = 256;
const CHUNK_BYTES: usize = 1024 * 1024;
/// How many chunks wait for their replies at the same time.
const IN_FLIGHT: usize = 4;
/// How often a stream is trimmed at most.
const TRIM_PAUSE: Duration = Duration::from_secs(1);

/// A stream of Redis as a transport. Clones share one connection, which restores itself.
///
/// An event is sent when the server has replied with the id of its entry. See the [module](crate::redis) for what goes where, and for what
/// that reply is worth.
///
/// ```no_run
/// # async fn example() -> Result<(), events_mq::ConnectError> {
/// use events_mq::redis::RedisStreams;
///
/// let redis = RedisStreams::connect("redis://127.0.0.1:6379").await?;
/// // Outbox::builder(pool).transport(redis) ..
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStreams(Arc<Shared>);

pub(super) struct Shared {
    pub(super) link: Link,
    trimmed: Mutex<Option<Instant>>,
}

impl RedisStreams {
    /// Connects with all options at their defaults: [`builder`](Self::builder) has them.
    ///
    /// # Errors
    /// The URL is malformed, the server is away or refuses the credentials, or the key `events` holds no stream.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Options for a connection to `redis://user:password@host:port/database`, or by TLS to `rediss://..`. Signs that mean something in a
    /// URL are percent-encoded in credentials.
    pub fn builder(url: &str) -> RedisStreamsBuilder {
        RedisStreamsBuilder::new(url)
    }

    /// Options for the subscription of a consumer group. All that subscribe by one name, in whatever process, share its events.
    pub fn subscribe(&self, group: impl Into<String>) -> RedisStreamsSubscriptionBuilder {
        RedisStreamsSubscriptionBuilder::new(Arc::clone(&self.0), group.into())
    }

    /// Whether the connection is there at the moment; for a readiness check. Sending needs no check: what cannot be sent is unavailable.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.link.is_up()
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }

    pub(super) fn over(link: Link) -> Self {
        Self(Arc::new(Shared { link, trimmed: Mutex::default() }))
    }

    pub(super) async fn prepare(&self) -> Result<(), ConnectError> {
        self.0.look().await.map_err(|failure| failure.for_start(NAME, self.0.link.address()))
    }
}

impl fmt::Debug for RedisStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStreams").field("settings", self.0.settings()).field("connected", &self.0.link.is_up()).finish()
    }
}

#[async_trait]
impl Transport for RedisStreams {
    fn name(&self) -> &str {
        &self.0.settings().name
    }

    /// Large, because a chunk costs one round trip, and one write to the disk.
    fn max_batch(&self) -> usize {
        512
    }

    /// A broker that loses its connection while it confirms makes the rest of the batch unavailable at once.
    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let sent = self.0.send(batch).await;
        sent.into_iter().map(|sent| sent.map_err(|failure| failure.for_delivery())).collect()
    }
}

type Sent = Result<(), Failure>;

impl Shared {
    pub(super) fn settings(&self) -> &Settings {
        self.link.settings()
    }

    /// Whether the key holds a stream, or nothing that is in the way of one.
    pub(super) async fn look(&self) -> Result<(), Failure> {
        let (stream, address) = (&self.settings().stream, self.link.address());
        let mut question = Pipeline::new();
        question.cmd("TYPE").arg(stream);
        let what = format!("looking at stream `{stream}` (`TYPE`)");
        let reply = said::granted(address, &what, self.link.ask(&question).await?.pop().unwrap_or_default())?;
        match (said::text(&reply), self.settings().topology) {
            (Some("stream"), _) | (Some("none"), Topology::Create) => Ok(()),
            (Some("none"), Topology::Check) => Err(missing(stream, address)),
            (kind, _) => Err(Failure::hopeless(format!(
                "key `{stream}` of {NAME} at {address} holds no stream, but a {}; choose another name with `stream`, or delete it",
                kind.unwrap_or("value of unknown kind")
            ))),
        }
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Sent> {
        if let Err(failure) = self.link.check() {
            return batch.iter().map(|_| Err(failure.clone())).collect();
        }
        let mut results: Vec<Option<Sent>> = batch.iter().map(|_| None).collect();
        let mut replies =
            stream::iter(chunks(batch)).map(|chunk| async { (self.add(&batch[chunk.clone()]).await, chunk) }).buffered(IN_FLIGHT);
        let mut lost = None;
        while let Some((replied, chunk)) = replies.next().await {
            match replied {
                Ok(replied) => {
                    for (n, sent) in chunk.zip(replied) {
                        results[n] = Some(sent);
                    }
                }
                // Those that come after it would fail the same way, or wait as long.
                Err(failure) => {
                    lost = Some(failure);
                    break;
                }
            }
        }
        drop(replies);
        let lost = lost.unwrap_or_else(|| self.link.away("it did not confirm"));
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(lost.clone()))).collect()
    }

    fn fits(&self, envelope: &Envelope, size: usize) -> Result<(), Failure> {
        let most = self.settings().max_payload;
        if size <= most {
            return Ok(());
        }
        Err(Failure::hopeless(format!(
            "event {} on topic `{}` is larger than may be sent to {NAME}: {size} bytes with its headers, of at most {most}; raise `max_payload` \
             of the transport, and `proto-max-bulk-len` of the server if need be, or publish less",
            envelope.id, envelope.topic
        )))
    }

    /// Adds the events of a chunk to the stream; one result each.
    async fn add(&self, chunk: &[Arc<Envelope>]) -> Result<Vec<Sent>, Failure> {
        let settings = self.settings();
        let mut commands = Pipeline::with_capacity(chunk.len() + 1);
        let mut sent: Vec<Option<Sent>> = Vec::with_capacity(chunk.len());
        for envelope in chunk {
            let fields = Fields::of(envelope);
            let fits = self.fits(envelope, fields.size());
            if fits.is_ok() {
                let mut add = Cmd::new();
                add.arg("XADD").arg(&settings.stream);
                if settings.topology == Topology::Check {
                    add.arg("NOMKSTREAM");
                }
                add.arg("*");
                fields.write(&mut add);
                commands.add_command(add);
            }
            sent.push(fits.err().map(Err));
        }
        if commands.is_empty() {
            return Ok(sent.into_iter().flatten().collect());
        }
        if settings.min_replicas > 0 {
            let patience = u64::try_from(settings.ack_timeout.as_millis() / 2).unwrap_or(u64::MAX).max(1);
            commands.cmd("WAIT").arg(settings.min_replicas).arg(patience);
        }
        let mut replies = self.link.ask(&commands).await?;
        let copied = if settings.min_replicas > 0 { self.copied(replies.pop().unwrap_or_default()) } else { Ok(()) };
        let last = replies.iter().rev().find_map(|reply| said::text(reply)).map(entry::place);
        let mut replies = replies.into_iter();
        let sent = sent.into_iter().zip(chunk).map(|(sent, envelope)| {
            sent.unwrap_or_else(|| self.stored(envelope, replies.next().unwrap_or_default()).and_then(|()| copied.clone()))
        });
        let sent = sent.collect();
        if let Some((now, _)) = last {
            self.trim(now).await;
        }
        Ok(sent)
    }

    /// What the reply to an event means.
    fn stored(&self, envelope: &Envelope, reply: Value) -> Sent {
        let (stream, address) = (&self.settings().stream, self.link.address());
        match reply {
            Value::BulkString(_) | Value::SimpleString(_) => Ok(()),
            // `NOMKSTREAM` and no stream.
            Value::Nil => Err(missing(stream, address)),
            reply => {
                let what = format!("storing event {} on topic `{}` in stream `{stream}`", envelope.id, envelope.topic);
                let reply = said::granted(address, &what, reply)?;
                Err(Failure::passing(format!("{what}: {NAME} at {address} replies with {reply:?}")))
            }
        }
    }

    fn copied(&self, reply: Value) -> Sent {
        let wanted = self.settings().min_replicas;
        let reply = said::granted(self.link.address(), "waiting for replicas (`WAIT`)", reply)?;
        match said::number(&reply) {
            Some(replicas) if replicas >= u64::from(wanted) => Ok(()),
            replicas => Err(self.link.away(&format!("only {} of {wanted} replicas have confirmed", replicas.unwrap_or_default()))),
        }
    }

    /// Forgets what is too old, by the server's clock.
    async fn trim(&self, now: u64) {
        let Some(age) = self.settings().max_age else { return };
        {
            let mut trimmed = self.trimmed.lock().unwrap_or_else(PoisonError::into_inner);
            if trimmed.is_some_and(|last| last.elapsed() < TRIM_PAUSE) {
                return;
            }
            *trimmed = Some(Instant::now());
        }
        let oldest = now.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let stream = &self.settings().stream;
        let mut command = Pipeline::new();
        command.cmd("XTRIM").arg(stream).arg("MINID").arg("~").arg(oldest);
        let trimmed = match self.link.ask(&command).await {
            Ok(mut replies) => said::granted(self.link.address(), "trimming", replies.pop().unwrap_or_default()),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = trimmed {
            tracing::warn!(stream, error = failure.text(), "a stream cannot be trimmed; it grows");
        }
    }
}

/// There is no stream, and we may not make it.
pub(super) fn missing(stream: &str, address: &str) -> Failure {
    Failure::hopeless(format!("{NAME} at {address} has no stream `{stream}`; make it, or choose `Topology::Create`"))
}

/// Cuts a batch into what goes out together. A large event goes alone.
fn chunks(batch: &[Arc<Envelope>]) -> Vec<Range<usize>> {
    let (mut chunks, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (n, envelope) in batch.iter().enumerate() {
        let size = envelope.payload.len();
        if n > begin && (n - begin >= CHUNK || bytes + size > CHUNK_BYTES) {
            chunks.push(begin..n);
            (begin, bytes) = (n, 0);
        }
        bytes += size;
    }
    if begin < batch.len() {
        chunks.push(begin..batch.len());
    }
    chunks
}
