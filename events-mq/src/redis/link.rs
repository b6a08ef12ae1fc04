//! The connection that is kept: whenever it is lost, a new one is made.

use super::{NAME, builder::Settings, wire::Unconnected, wire::Wire};
use crate::{ConnectError, failure::Failure};
use ::redis::aio::MultiplexedConnection;
use ::redis::{Pipeline, Value};
use events_core::{Backoff, RetryPolicy};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);
/// A connection that lasted so long worked.
const LASTED: Duration = Duration::from_secs(1);

/// Dropped, it closes the connection.
pub(super) struct Link {
    line: Arc<Line>,
    keeper: JoinHandle<()>,
}

/// What the keeper and those who ask share.
struct Line {
    settings: Settings,
    state: Mutex<State>,
    /// The number of the last connection that is to be given up.
    condemned: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Of the connection, or of the last one; they are counted from 1.
    number: u64,
    /// What keeps us from connecting.
    trouble: Option<String>,
}

impl Link {
    /// Connects, and keeps connected.
    pub(super) async fn open(settings: Settings) -> Result<Self, ConnectError> {
        let wire = Wire::connect(&settings, settings.ack_timeout).await;
        let wire = wire.map_err(|why| why.for_start(&settings.address_text))?;
        Ok(Self::keep(settings, Some(wire)))
    }

    /// Begins to connect, and goes on until it works.
    pub(super) fn open_in_background(settings: Settings) -> Self {
        Self::keep(settings, None)
    }

    fn keep(settings: Settings, wire: Option<Wire>) -> Self {
        let line = Arc::new(Line { settings, state: Mutex::default(), condemned: watch::Sender::new(0) });
        let first = wire.map(|wire| {
            let number = line.connected(&wire);
            (wire, number)
        });
        let keeper = tokio::spawn(keep(Arc::clone(&line), first));
        Self { line, keeper }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.line.settings
    }

    /// Where the server is, without credentials.
    pub(super) fn address(&self) -> &str {
        &self.line.settings.address_text
    }

    pub(super) fn is_up(&self) -> bool {
        self.line.state().connection.is_some()
    }

    /// Fails at once if the connection is not there.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let state = self.line.state();
        if state.connection.is_some() { Ok(()) } else { Err(self.line.away(&state, "there is no connection at the moment")) }
    }

    /// Sends commands and waits for a reply to each. A server that does not answer in time loses its connection: whatever it says later
    /// is not heard by anybody.
    pub(super) async fn ask(&self, commands: &Pipeline) -> Result<Vec<Value>, Failure> {
        let (mut connection, number) = {
            let state = self.line.state();
            (state.connection.clone().ok_or_else(|| self.line.away(&state, "there is no connection at the moment"))?, state.number)
        };
        match connection.send_packed_commands(commands, 0, commands.len()).await {
            Ok(replies) => Ok(replies),
            Err(error) => {
                self.line.condemn(number);
                let what = if error.is_timeout() {
                    format!("it did not confirm within {:?}", self.line.settings.ack_timeout)
                } else {
                    format!("the connection was lost before it confirmed: {error}")
                };
                Err(self.away(&what))
            }
        }
    }

    /// The broker is away, with the reason if one is known.
    pub(super) fn away(&self, what: &str) -> Failure {
        self.line.away(&self.line.state(), what)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self, wire: &Wire) -> u64 {
        let mut state = self.state();
        *state = State { connection: Some(wire.connection()), number: state.number + 1, trouble: None };
        state.number
    }

    fn disconnected(&self) {
        self.state().connection = None;
    }

    fn unconnected(&self, why: &Unconnected) {
        let why = why.to_string();
        let mut state = self.state();
        if state.trouble.as_ref() != Some(&why) {
            tracing::warn!(address = self.settings.address_text, error = why, "{NAME} cannot be reached; it is tried again");
            state.trouble = Some(why);
        }
    }

    /// Gives up the connection of that number, if it is still in use.
    fn condemn(&self, number: u64) {
        let mut state = self.state();
        if state.number == number {
            state.connection = None;
        }
        drop(state);
        self.condemned.send_if_modified(|condemned| std::mem::replace(condemned, number.max(*condemned)) < number);
    }

    fn away(&self, state: &State, what: &str) -> Failure {
        let why = state.trouble.as_deref().map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        Failure::away(format!("{NAME} at {} is away: {what}{why}", self.settings.address_text))
    }
}

/// Connects, waits until the connection ends, and begins again.
async fn keep(line: Arc<Line>, mut first: Option<(Wire, u64)>) {
    let pauses = RetryPolicy::default().attempts(u32::MAX).backoff(Backoff::Exponential { first: FIRST_PAUSE, max: LAST_PAUSE });
    let mut condemned = line.condemned.subscribe();
    let mut failed = 0u32;
    loop {
        let wire = match first.take() {
            Some(wire) => Ok(wire),
            None => Wire::connect(&line.settings, line.settings.ack_timeout).await.map(|wire| {
                let number = line.connected(&wire);
                (wire, number)
            }),
        };
        match wire {
            Ok((mut wire, number)) => {
                let begun = Instant::now();
                tokio::select! {
                    () = wire.ended() => {}
                    // The sender lives as long as the line.
                    _ = condemned.wait_for(|condemned| *condemned >= number) => {}
                }
                line.disconnected();
                if begun.elapsed() >= LASTED {
                    failed = 0;
                    continue;
                }
            }
            Err(why) => line.unconnected(&why),
        }
        failed = failed.saturating_add(1).min(u32::MAX - 1);
        // Full jitter may be no pause at all.
        tokio::time::sleep(pauses.delay_after(failed).unwrap_or(LAST_PAUSE).max(FIRST_PAUSE / 4)).await;
    }
}
