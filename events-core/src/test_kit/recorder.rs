//! Records what a piece of code publishes.

use crate::{Collector, DomainEvent, Envelope};
use std::fmt::Debug;
use std::{future::Future, sync::Arc};

/// Runs `code` as if inside a unit of work and returns its output and what it published.
pub async fn record<F: Future>(code: F) -> (F::Output, Recording) {
    let collector = Collector::new(usize::MAX, Arc::from("/test"), usize::MAX);
    let output = collector.scope(code).await;
    let envelopes = collector.drain().into_iter().map(|collected| collected.envelope).collect();
    (output, Recording { envelopes })
}

/// What a piece of code published, in order.
#[derive(Clone, Debug)]
pub struct Recording {
    envelopes: Vec<Arc<Envelope>>,
}

impl Recording {
    /// Everything that was published.
    #[must_use]
    pub fn envelopes(&self) -> &[Arc<Envelope>] {
        &self.envelopes
    }

    /// The events of type `E`.
    ///
    /// # Panics
    /// If an event cannot be read back; then no handler could read it either.
    #[must_use]
    pub fn all<E: DomainEvent>(&self) -> Vec<E> {
        self.envelopes
            .iter()
            .filter(|envelope| envelope.topic == E::TOPIC && envelope.version == E::VERSION)
            .map(|envelope| envelope.open().unwrap_or_else(|error| panic!("{error}")))
            .collect()
    }

    /// Asserts that an event equal to `expected` was published.
    ///
    /// # Panics
    /// If it was not; the message lists what was.
    #[track_caller]
    pub fn assert_published<E: DomainEvent + PartialEq + Debug>(&self, expected: &E) {
        let events = self.all::<E>();
        assert!(
            events.contains(expected),
            "{expected:?} was not published; on topic `{}` were {events:?}, in all {:?}",
            E::TOPIC,
            self.topics()
        );
    }

    /// Asserts that nothing was published.
    ///
    /// # Panics
    /// If something was; the message lists it.
    #[track_caller]
    pub fn assert_nothing_published(&self) {
        assert!(self.envelopes.is_empty(), "nothing should have been published, but {:?} were", self.topics());
    }

    fn topics(&self) -> Vec<&str> {
        self.envelopes.iter().map(|envelope| &*envelope.topic).collect()
    }
}
