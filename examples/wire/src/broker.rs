//! Which broker, and who hears it.

use events_core::MemoryTransport;
use std::time::Duration;

/// How long a broker outside waits for the answer of a subscriber, unless it is told otherwise.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// A broker: inside this process, or the one that a URL names.
#[derive(Clone)]
#[allow(dead_code, reason = "a build with all brokers, or with none, needs less than what is here")]
pub struct Broker {
    pub(crate) place: Place,
    /// The example, for the command that an error suggests.
    pub(crate) program: &'static str,
    pub(crate) ack_wait: Duration,
}

#[derive(Clone)]
pub(crate) enum Place {
    InProcess(MemoryTransport),
    At(String),
}

/// A service that hears events: the name by which the broker knows it, and the topics that it hears.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// The durable consumer, group or queue.
    pub name: String,
    /// A pattern: `*` stands for one word between dots.
    pub topics: &'static str,
}

impl Broker {
    /// The broker at `url`; without one, a new one inside this process. `program` is the package of the example.
    #[must_use]
    pub fn of(url: Option<&str>, program: &'static str) -> Self {
        let place = url.map_or_else(|| Place::InProcess(MemoryTransport::new("broker")), |url| Place::At(url.to_owned()));
        Self { place, program, ack_wait: ACK_WAIT }
    }

    /// After how long without an answer a broker outside takes it that a subscriber is dead. Default 30 s.
    #[must_use]
    pub fn ack_wait(self, ack_wait: Duration) -> Self {
        Self { ack_wait, ..self }
    }

    /// Whether it is a process of its own, with failures of its own.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        matches!(self.place, Place::At(_))
    }
}
