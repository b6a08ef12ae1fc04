//! What a message broker must bring to be put to the test.

use bytes::Bytes;
use events_core::{Subscription, Transport};
use std::{future::Future, time::Duration};

/// A password that no broker of the suite takes.
pub const WRONG_PASSWORD: &str = "n0t-the-passw0rd";

/// When a consumer of the suite gets an event again, and when it is given up.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How many times an event is delivered at most.
    pub attempts: u32,
    /// How long after a refusal it comes again.
    pub delay: Duration,
    /// After how long without an answer a subscriber is taken for dead.
    pub ack_wait: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { attempts: 100, delay: Duration::from_millis(300), ack_wait: Duration::from_secs(30) }
    }
}

/// What became of a message that no subscriber could deal with.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The body of the message, as it was sent.
    pub payload: Bytes,
    /// Why it was given up.
    pub reason: String,
}

/// A broker of the test's own, empty; dropped, it is gone. Everything of it takes all topics that begin with `test.`.
pub trait BrokerHarness: Sized + Send + Sync + 'static {
    /// Sends to it.
    type Transport: Transport;
    /// Receives from it.
    type Subscription: Subscription;
    /// Whether it drops an event that it has stored a moment ago.
    const DROPS_DUPLICATES: bool;
    /// A payload of so many bytes is more than it takes.
    const TOO_LARGE: usize;

    /// Starts it.
    fn start() -> impl Future<Output = Self> + Send;
    /// Kills it with SIGKILL.
    fn kill(&self);
    /// Starts it again, with what it had stored.
    fn start_again(&self);
    /// A connected transport that makes what it needs.
    fn transport(&self) -> impl Future<Output = Self::Transport> + Send;
    /// A transport that makes nothing, before anything was made.
    fn unprepared(&self) -> impl Future<Output = Self::Transport> + Send;
    /// What somebody is told who connects, or sends, with [`WRONG_PASSWORD`].
    fn refused(&self) -> impl Future<Output = String> + Send;
    /// Subscribes as one of the subscribers of `consumer`, to all topics.
    fn subscribe(&self, consumer: &str, terms: Terms) -> impl Future<Output = Self::Subscription> + Send;
    /// Sends what is no event to where the subscribers of all topics get it.
    fn send_garbage(&self, payload: Bytes) -> impl Future<Output = ()> + Send;
    /// The dead letters of `consumer`.
    fn dead_letters(&self, consumer: &str) -> impl Future<Output = Vec<DeadLetter>> + Send;
}
