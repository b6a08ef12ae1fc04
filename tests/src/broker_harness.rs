//! What a message broker must bring to be put to the test.

use bytes::Bytes;
use events_core::{Subscription, Transport};
use events_mq::ConnectError;
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
    /// How it is called where processes are told of it.
    const NAME: &'static str;
    /// Whether it drops an event that it has stored a moment ago.
    const DROPS_DUPLICATES: bool;
    /// Whether its client library has a runtime of its own, which would keep a dead subscriber's connections open. Such a subscriber is
    /// dead to its broker when nobody asks it for events any more.
    const OUTLIVES_ITS_SUBSCRIBERS: bool = false;
    /// A payload of so many bytes is more than it takes.
    const TOO_LARGE: usize;

    /// So many events of one batch keep it busy for some seconds, so that it can be killed amid them.
    const BATCH: usize = 20_000;

    /// Starts it.
    fn start() -> impl Future<Output = Self> + Send;
    /// Waits for whatever [`kill`](Self::kill) would have to wait for, so that it is quick when the moment has come.
    fn until_it_can_be_killed(&self) {}
    /// Kills it with SIGKILL.
    fn kill(&self);
    /// Starts it again, with what it had stored.
    fn start_again(&self);
    /// Stops it in the middle of whatever it does: its connections stay, and nobody answers.
    fn freeze(&self);
    /// Lets it go on.
    fn thaw(&self);
    /// Where it is, with the password, for other processes.
    fn url(&self) -> String;
    /// A connected transport that makes what it needs, and does not wait longer than 5 s for an answer.
    fn transport(&self) -> impl Future<Output = Self::Transport> + Send;
    /// As [`transport`](Self::transport), for events that several subscribers of one consumer share, who are there already.
    fn transport_to_many(&self) -> impl Future<Output = Self::Transport> + Send {
        self.transport()
    }
    /// A transport that makes nothing, before anything was made.
    fn unprepared(&self) -> impl Future<Output = Self::Transport> + Send;
    /// What somebody is told who connects, or sends, with [`WRONG_PASSWORD`].
    fn refused(&self) -> impl Future<Output = String> + Send;
    /// Subscribes as one of the subscribers of `consumer`, to all topics.
    fn subscribe(&self, consumer: &str, terms: Terms) -> impl Future<Output = Self::Subscription> + Send {
        async move { Self::subscribe_at(&self.url(), consumer, terms).await.unwrap() }
    }
    /// As [`subscribe`](Self::subscribe), from a process that knows no more than the [`url`](Self::url).
    ///
    /// # Errors
    /// The broker is away.
    fn subscribe_at(url: &str, consumer: &str, terms: Terms) -> impl Future<Output = Result<Self::Subscription, ConnectError>> + Send;
    /// Sends what is no event to where the subscribers of all topics get it.
    fn send_garbage(&self, payload: Bytes) -> impl Future<Output = ()> + Send;
    /// The dead letters of `consumer`.
    fn dead_letters(&self, consumer: &str) -> impl Future<Output = Vec<DeadLetter>> + Send;
}
