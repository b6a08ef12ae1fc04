//! Targets that fail on command.

use crate::{DeliveryError, Envelope, Transport, test_kit::Seen};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a target fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With an error that is retried.
    Retryable,
    /// With an error that is not.
    Terminal,
    /// As if the broker were away.
    Unavailable,
    /// By a panic.
    Panic,
    /// By never answering.
    Hang,
}

/// A script of faults for a handler (as its `State<Faults>`) or a transport. Clones share it.
///
/// ```
/// # #[tokio::main] async fn main() {
/// use events_core::test_kit::{Fault, Faults};
/// let faults = Faults::none();
/// faults.next(1, Fault::Terminal);
/// assert!(faults.strike().await.is_err());
/// assert!(faults.strike().await.is_ok());
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    next: VecDeque<Fault>,
    always: Option<Fault>,
}

impl Faults {
    /// No faults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The next `times` calls fail.
    pub fn next(&self, times: usize, fault: Fault) {
        self.script().next.extend(std::iter::repeat_n(fault, times));
    }

    /// All calls fail, until [`stop`](Self::stop).
    pub fn always(&self, fault: Fault) {
        self.script().always = Some(fault);
    }

    /// No more faults.
    pub fn stop(&self) {
        *self.script() = Script::default();
    }

    /// Fails if it is time to.
    ///
    /// # Errors
    /// What the script says.
    ///
    /// # Panics
    /// If the script says so.
    pub async fn strike(&self) -> Result<(), DeliveryError> {
        let fault = {
            let mut script = self.script();
            script.next.pop_front().or(script.always)
        };
        match fault {
            None => Ok(()),
            Some(Fault::Retryable) => Err("a fault on command".into()),
            Some(Fault::Terminal) => Err(DeliveryError::terminal("a terminal fault on command")),
            Some(Fault::Unavailable) => Err(DeliveryError::unavailable("away on command")),
            Some(Fault::Panic) => panic!("a panic on command"),
            Some(Fault::Hang) => {
                tokio::time::sleep(Duration::MAX).await;
                Ok(())
            }
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transport that records what it is sent and fails by script.
#[derive(Clone, Debug)]
pub struct ScriptedTransport {
    name: String,
    faults: Faults,
    sent: Seen<Arc<Envelope>>,
}

impl ScriptedTransport {
    /// A transport named `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, faults: Faults) -> Self {
        Self { name: name.into(), faults, sent: Seen::new() }
    }

    /// What was sent without a fault.
    #[must_use]
    pub fn sent(&self) -> &Seen<Arc<Envelope>> {
        &self.sent
    }
}

#[async_trait]
impl Transport for ScriptedTransport {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
        let mut results = Vec::with_capacity(batch.len());
        for envelope in batch {
            let struck = self.faults.strike().await;
            if struck.is_ok() {
                self.sent.push(Arc::clone(envelope));
            }
            results.push(struck);
        }
        results
    }
}
