//! What the library says besides its answers, heard by producers and consumers alike.

use super::NAME;
use crate::failure::Failure;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The ears of one client. Clones are the same.
#[derive(Clone)]
pub(super) struct Ears(Arc<Heard>);

struct Heard {
    /// Where the brokers are, without credentials.
    address: String,
    /// The last thing that kept us from being served.
    trouble: Mutex<Option<String>>,
    /// Whether a broker did not take our credentials, and nothing worked since.
    refused: AtomicBool,
    /// How many times no broker was left.
    losses: watch::Sender<u64>,
}

impl Ears {
    pub(super) fn new(address: &str) -> Self {
        let (losses, _) = watch::channel(0);
        Self(Arc::new(Heard { address: address.to_owned(), trouble: Mutex::default(), refused: AtomicBool::new(false), losses }))
    }

    /// Every time that no broker is left, from now on. They may come back at once.
    pub(super) fn losses(&self) -> watch::Receiver<u64> {
        self.0.losses.subscribe()
    }

    /// Whether a broker did not take our credentials.
    pub(super) fn is_refused(&self) -> bool {
        self.0.refused.load(Relaxed)
    }

    /// Something worked.
    pub(super) fn forget(&self) {
        if self.trouble().take().is_some() {
            self.0.refused.store(false, Relaxed);
        }
    }

    /// The broker is away, with the reason if one is known.
    pub(super) fn away(&self, what: &str) -> Failure {
        let trouble = self.trouble().clone();
        let why = trouble.map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        let credentials = if self.is_refused() { "; it refuses the credentials" } else { "" };
        Failure::away(format!("{NAME} at {} is away: {what}{why}{credentials}", self.0.address))
    }

    /// What the library reports by a callback, or instead of a message.
    pub(super) fn hear(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // That all are down says less than why the last one is.
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            tracing::warn!(error = reason, "a complaint of {NAME}");
            *self.trouble() = Some(reason.to_owned());
        }
        match code {
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => self.0.refused.store(true, Relaxed),
            Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::Fatal) => self.0.losses.send_modify(|losses| *losses += 1),
            _ => {}
        }
    }

    /// What the library wants to be in the log.
    pub(super) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => tracing::error!(facility, "librdkafka: {text}"),
            // What matters of these comes as an error too.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => tracing::info!(facility, "librdkafka: {text}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::debug!(facility, "librdkafka: {text}"),
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
