//! A connection that restores itself.

use super::{NAME, builder::Settings, wire::Role, wire::Wire};
use crate::{ConnectError, failure::Failure};
use events_core::{Backoff, RetryPolicy};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// The pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

pub(super) struct Link {
    address: String,
    patience: Duration,
    state: watch::Receiver<Connected>,
    keeper: AbortHandle,
}

/// The connection, or why there is none.
#[derive(Clone)]
enum Connected {
    Yes(Arc<Wire>),
    No(Option<String>),
}

impl Link {
    /// Connects, and from then on connects again whenever the connection is lost.
    pub(super) async fn open(settings: Settings, role: Role) -> Result<Self, ConnectError> {
        let wire = Wire::connect(&settings, role).await?;
        Ok(Self::keep(settings, role, Some(wire)))
    }

    /// Begins to connect, and goes on until it works.
    pub(super) fn open_in_background(settings: Settings, role: Role) -> Self {
        Self::keep(settings, role, None)
    }

    fn keep(settings: Settings, role: Role, wire: Option<Wire>) -> Self {
        let wire = wire.map(Arc::new);
        let (sender, state) = watch::channel(wire.clone().map_or(Connected::No(None), Connected::Yes));
        let (address, patience) = (settings.address_text.clone(), settings.ack_timeout);
        let keeper = tokio::spawn(keep(settings, role, wire, sender)).abort_handle();
        Self { address, patience, state, keeper }
    }

    /// The connection; fails at once if there is none, because what is sent now would wait, without anybody knowing for how long.
    pub(super) fn wire(&self) -> Result<Arc<Wire>, Failure> {
        match &*self.state.borrow() {
            Connected::Yes(wire) if wire.is_open() => Ok(Arc::clone(wire)),
            Connected::Yes(_) => Err(self.away("the connection was lost a moment ago")),
            Connected::No(None) => Err(self.away("there is no connection yet")),
            Connected::No(Some(why)) => Err(self.away(&format!("there is no connection at the moment ({why})"))),
        }
    }

    /// The connection, also if it has to be made again first.
    pub(super) async fn wire_soon(&self) -> Result<Arc<Wire>, Failure> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| matches!(state, Connected::Yes(wire) if wire.is_open()));
        // Whether it came or not, this says it best.
        drop(tokio::time::timeout(self.patience, up).await);
        self.wire()
    }

    pub(super) fn is_up(&self) -> bool {
        self.wire().is_ok()
    }

    /// Where the servers are, without credentials.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn away(&self, what: &str) -> Failure {
        Failure::away(format!("{NAME} at {} is away: {what}", self.address))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
        let Connected::Yes(wire) = self.state.borrow().clone() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { wire.close().await })),
            Err(_) => wire.cut(),
        }
    }
}

/// Connects again whenever the connection ends.
async fn keep(settings: Settings, role: Role, mut first: Option<Arc<Wire>>, state: watch::Sender<Connected>) {
    let pauses = RetryPolicy::default().attempts(u32::MAX).backoff(Backoff::Exponential { first: FIRST_PAUSE, max: LAST_PAUSE });
    let mut failed = 0u32;
    loop {
        let connected = match first.take() {
            Some(wire) => Ok(wire),
            None => Wire::connect(&settings, role).await.map(Arc::new),
        };
        match connected {
            Ok(wire) => {
                failed = 0;
                state.send_replace(Connected::Yes(Arc::clone(&wire)));
                let why = wire.ended().await;
                tracing::warn!(address = settings.address_text, why, "the connection to {NAME} was lost");
                state.send_replace(Connected::No(Some(why)));
            }
            Err(error) => {
                tracing::warn!(%error, "{NAME} cannot be connected to; it is tried again");
                state.send_replace(Connected::No(Some(error.to_string())));
            }
        }
        failed = failed.saturating_add(1).min(u32::MAX - 1);
        // Full jitter may be no pause at all.
        tokio::time::sleep(pauses.delay_after(failed).unwrap_or(LAST_PAUSE).max(FIRST_PAUSE / 4)).await;
    }
}
