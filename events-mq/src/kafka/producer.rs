//! What the library calls a producer: a queue, threads of its own, and one report for every message.

use super::client::unusable;
use super::{builder::Settings, ears::Ears};
use crate::ConnectError;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// What became of a message, for who sent it: the number it gave to it, and what the broker said.
pub(super) type Report = (usize, Result<(), RDKafkaErrorCode>);

pub(super) struct Producer {
    /// Taken when it ends.
    inner: Option<ThreadedProducer<Listener>>,
    ears: Ears,
}

/// A message to be sent.
pub(super) struct Letter<'a> {
    pub(super) topic: &'a str,
    pub(super) key: Option<&'a [u8]>,
    pub(super) payload: Option<&'a [u8]>,
    pub(super) headers: OwnedHeaders,
}

/// Knows whom a message's report is for.
struct Ticket {
    n: usize,
    to: UnboundedSender<Report>,
}

struct Listener(Ears);

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        Ears::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.hear(&error, reason);
    }
}

impl ProducerContext for Listener {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let report = match result {
            Ok(_) => {
                self.0.forget();
                Ok(())
            }
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)),
        };
        // Whoever has given up waiting needs no report.
        let _ = ticket.to.send((ticket.n, report));
    }
}

impl Producer {
    /// Begins to connect, and goes on until it works.
    pub(super) fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let ears = Ears::new(&settings.address_text);
        let config = settings.producer()?;
        let inner = ThreadedProducer::from_config_and_context(&config, Listener(ears.clone()));
        Ok(Self { inner: Some(inner.map_err(|error| unusable(settings, &error))?), ears })
    }

    pub(super) fn ears(&self) -> &Ears {
        &self.ears
    }

    /// Puts it into the queue. Its report goes to `to`, with its number `n`; only an error has none.
    pub(super) fn send(&self, n: usize, letter: Letter<'_>, to: &UnboundedSender<Report>) -> Result<(), RDKafkaErrorCode> {
        let Some(inner) = &self.inner else { return Err(RDKafkaErrorCode::State) };
        let ticket = Box::new(Ticket { n, to: to.clone() });
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(letter.topic, ticket).headers(letter.headers);
        record.key = letter.key;
        record.payload = letter.payload;
        inner.send(record).map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))
    }

    /// Forgets what is in the queue, and does not wait for what is on its way.
    pub(super) fn purge(&self) {
        if let Some(inner) = &self.inner {
            inner.purge(PurgeConfig::default().queue().inflight());
        }
    }

    /// What the brokers know of a topic, or of all; blocks.
    pub(super) fn metadata(&self, topic: Option<&str>, within: Duration) -> Result<Metadata, RDKafkaErrorCode> {
        let Some(inner) = &self.inner else { return Err(RDKafkaErrorCode::State) };
        let metadata = inner.client().fetch_metadata(topic, within);
        metadata.map_err(|error| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))
    }
}

impl Drop for Producer {
    /// It waits for its threads, so a thread of its own does that.
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            let _ = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(inner));
        }
    }
}
