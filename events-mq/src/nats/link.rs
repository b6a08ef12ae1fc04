//! The connection, which async-nats restores by itself, and what is heard on it.

use super::{NAME, builder::Settings};
use crate::{ConnectError, failure::Failure};
use async_nats::connection::State;
use async_nats::jetstream::{Context, context::ContextBuilder};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerError};
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::broadcast;

/// How many unheard reports are kept; more are of no use to anybody.
const REPORTS: usize = 256;
/// How many unconfirmed publications the library lets through. It must never be the limit: who waits for it confirms nothing meanwhile.
const UNLIMITED: usize = 1 << 24;

/// What those who wait for an answer must hear, because no answer will come.
#[derive(Clone, Debug)]
pub(super) enum Report {
    /// The connection is gone, and with it all answers that were on their way.
    Lost,
    /// The server does not let this user publish to that subject, which it tells by no answer.
    Refused(String),
}

pub(super) struct Link {
    settings: Settings,
    wire: RwLock<Wire>,
    /// Held by who replaces the wire.
    repair: tokio::sync::Mutex<()>,
    ears: Arc<Ears>,
}

/// What the library calls a client: a task of its own that connects and connects again, until it ends.
#[derive(Clone)]
struct Wire {
    client: Client,
    jetstream: Context,
    ended: Arc<AtomicBool>,
}

struct Ears {
    reports: broadcast::Sender<Report>,
    /// The last thing that kept us from connecting.
    trouble: Mutex<Option<String>>,
}

/// Lives as long as the library's task: a message that it cannot read may end that task by a panic, and nothing else would tell.
struct Mourner {
    ears: Arc<Ears>,
    ended: Arc<AtomicBool>,
}

impl Drop for Mourner {
    fn drop(&mut self) {
        self.ended.store(true, Release);
        self.ears.report(Report::Lost);
    }
}

impl Wire {
    async fn connect(
        settings: &Settings,
        ears: &Arc<Ears>,
        adjust: impl FnOnce(ConnectOptions) -> ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let ended = Arc::new(AtomicBool::new(false));
        let mourner = Mourner { ears: Arc::clone(ears), ended: Arc::clone(&ended) };
        let options = settings.connect_options()?.event_callback(move |event| {
            mourner.ears.hear(event);
            std::future::ready(())
        });
        let client = adjust(options).connect(settings.address.servers()).await.map_err(|error| refused(settings, &error))?;
        let jetstream = ContextBuilder::new()
            .max_ack_inflight(UNLIMITED)
            .ack_timeout(settings.ack_timeout)
            .timeout(settings.ack_timeout)
            .build(client.clone());
        Ok(Self { client, jetstream, ended })
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Acquire)
    }
}

impl Link {
    /// Connects.
    pub(super) async fn open(settings: Settings) -> Result<Self, ConnectError> {
        Self::connect(settings, |options| options).await
    }

    /// Begins to connect, and goes on until it works.
    pub(super) async fn open_in_background(settings: Settings) -> Result<Self, ConnectError> {
        Self::connect(settings, ConnectOptions::retry_on_initial_connect).await
    }

    async fn connect(settings: Settings, adjust: impl FnOnce(ConnectOptions) -> ConnectOptions) -> Result<Self, ConnectError> {
        let ears = Arc::new(Ears { reports: broadcast::Sender::new(REPORTS), trouble: Mutex::default() });
        let wire = RwLock::new(Wire::connect(&settings, &ears, adjust).await?);
        Ok(Self { settings, wire, repair: tokio::sync::Mutex::default(), ears })
    }

    /// Connects anew if the library has given up; it restores a connection that was only lost by itself.
    pub(super) async fn revive(&self) {
        if !self.wire().has_ended() {
            return;
        }
        let _repair = self.repair.lock().await;
        if !self.wire().has_ended() {
            return;
        }
        tracing::error!(
            address = self.address(),
            "the connection to {NAME} ended for good, perhaps by a malformed message; a new one is made"
        );
        match Wire::connect(&self.settings, &self.ears, |options| options).await {
            Ok(wire) => *self.wire.write().unwrap_or_else(PoisonError::into_inner) = wire,
            Err(error) => self.ears.complain(error.to_string()),
        }
    }

    fn wire(&self) -> Wire {
        self.wire.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn client(&self) -> Client {
        self.wire().client
    }

    pub(super) fn jetstream(&self) -> Context {
        self.wire().jetstream
    }

    /// Where the servers are, without credentials.
    pub(super) fn address(&self) -> &str {
        &self.settings.address_text
    }

    pub(super) fn is_up(&self) -> bool {
        let wire = self.wire();
        !wire.has_ended() && wire.client.connection_state() == State::Connected
    }

    /// What will be heard from now on.
    pub(super) fn reports(&self) -> broadcast::Receiver<Report> {
        self.ears.reports.subscribe()
    }

    /// Fails at once if the connection is not there: what is sent now would wait in memory, without anybody knowing for how long.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.is_up() { Ok(()) } else { Err(self.away("there is no connection at the moment")) }
    }

    /// The broker is away, with the reason if one is known.
    pub(super) fn away(&self, what: &str) -> Failure {
        let trouble = self.ears.trouble();
        let why = trouble.as_deref().map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        Failure::away(format!("{NAME} at {} is away: {what}{why}", self.address()))
    }

    /// Waits for the answer of JetStream's own interface, or for the news that none will come.
    pub(super) async fn ask<T>(&self, request: impl Future<Output = T>) -> Result<T, Failure> {
        let mut reports = self.reports();
        self.check()?;
        let mut request = std::pin::pin!(request);
        loop {
            tokio::select! {
                biased;
                answer = &mut request => return Ok(answer),
                report = reports.recv() => match report {
                    Ok(Report::Refused(subject)) if subject.starts_with("$JS.") => {
                        return Err(Failure::hopeless(format!(
                            "{NAME} at {} does not let this user publish to `{subject}`; grant it, or the stream cannot be looked at",
                            self.address()
                        )));
                    }
                    Ok(Report::Lost) => return Err(self.away("the connection was lost")),
                    _ => {}
                },
            }
        }
    }
}

impl Ears {
    fn hear(&self, event: Event) {
        match event {
            Event::Connected => *self.trouble() = None,
            Event::Disconnected | Event::Closed => self.report(Report::Lost),
            Event::ServerError(ServerError::Other(text)) => match refused_subject(&text) {
                Some(subject) => self.report(Report::Refused(subject)),
                None => self.complain(text),
            },
            Event::ServerError(error) => self.complain(error.to_string()),
            Event::ClientError(error) => self.complain(error.to_string()),
            _ => {}
        }
    }

    fn complain(&self, text: String) {
        tracing::warn!(error = text, "a complaint of {NAME}");
        *self.trouble() = Some(text);
    }

    fn report(&self, report: Report) {
        // It is an error if nobody waits for an answer, and then nobody has to know.
        let _ = self.reports.send(report);
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(settings: &Settings, error: &async_nats::ConnectError) -> ConnectError {
    let address = settings.address.to_string();
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => ConnectError::Credentials { broker: NAME, address },
        _ => ConnectError::Unreachable { broker: NAME, address, reason: error.to_string() },
    }
}

/// The subject of `Permissions Violation for Publish to "subject"`.
fn refused_subject(text: &str) -> Option<String> {
    let mut parts = text.split('"');
    let before = parts.next()?.trim_start_matches('\'').to_ascii_lowercase();
    before.starts_with("permissions violation for publish").then(|| parts.next().map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_subject_is_found_in_what_the_server_says() {
        let said = "Permissions Violation for Publish to \"events.Order\"";
        assert_eq!(refused_subject(said).as_deref(), Some("events.Order"));
        assert_eq!(refused_subject(&format!("'{said}'")).as_deref(), Some("events.Order"));
        assert_eq!(refused_subject("Permissions Violation for Subscription to \"x\""), None);
        assert_eq!(refused_subject("Stale Connection"), None);
    }
}
