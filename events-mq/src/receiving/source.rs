//! What differs from broker to broker.

use super::Poison;
use crate::failure::Failure;
use events_core::{BoxError, Envelope, RetryPolicy};
use std::{future::Future, sync::Arc};

/// A durable consumer of a broker, and what can be done with its messages.
///
/// The futures of the answers are run to their end, also by tasks of their own; they need not be cancel safe.
pub(crate) trait Source: Send + Sync + 'static {
    /// A message as the broker delivered it, with all that is needed to answer it.
    type Message: Send + 'static;
    /// What is open while the broker is there.
    type Consumer: Consumer<Message = Self::Message>;

    /// Its name, for the log.
    fn name(&self) -> &str;

    /// How many times an event is delivered at most, and when it comes again.
    fn retry(&self) -> &RetryPolicy;

    /// Begins to receive.
    fn open(&self, opening: Opening) -> impl Future<Output = Result<Self::Consumer, Failure>> + Send;

    /// What a message is.
    fn read(&self, message: &Self::Message) -> Reading;

    /// It is dealt with.
    fn accept(&self, message: Self::Message) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// It shall come again: after the delay that its deliveries so far call for.
    fn postpone(&self, message: Self::Message, delay: std::time::Duration) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// It is kept where dead letters are, and does not come again. If it cannot be kept, it comes again: nothing is given up silently.
    fn bury(&self, message: Self::Message, poison: Poison) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// Receives until something breaks.
pub(crate) trait Consumer: Send + 'static {
    type Message;

    /// The next message, as it came.
    ///
    /// # Cancel safety
    /// Cancel safe: what arrives is kept until it is returned.
    fn next(&mut self) -> impl Future<Output = Result<Self::Message, Broken>> + Send;

    /// Ends it: what it has and did not return goes to others of its name, at once if the broker can do that.
    fn give_back(self) -> impl Future<Output = ()> + Send + 'static;
}

/// Whether something broke before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    First,
    Again,
}

/// Why nothing will come any more from an open consumer.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

/// What a message turned out to be.
#[derive(Debug)]
pub(crate) enum Reading {
    /// An event, and how many times it was delivered, with this one.
    Event(Arc<Envelope>, u32),
    /// Nothing that anybody could deal with.
    Poison(Poison),
    /// Not for us; it is acknowledged.
    // Only where dead letters lie among the events.
    #[cfg_attr(not(feature = "nats"), allow(dead_code))]
    Foreign,
}
