//! A batch on its way to the brokers.

use super::admin::GRACE;
use super::producer::{Letter, Producer, Report};
use super::refusal::{Unsent, is_fatal, refused};
use super::transport::{Home, Sent, Shared, headers};
use events_core::Envelope;
use rdkafka::error::RDKafkaErrorCode as Code;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

/// How many events of a batch wait for their confirmation at the same time. Each of them must be confirmed within `ack_timeout`.
const IN_FLIGHT: usize = 256;
/// How large they may be together, in bytes, unless a single one is larger: a slow broker must confirm that within `ack_timeout` too.
const WEIGHT: usize = 4 * 1024 * 1024;
/// How long to wait for room in a queue that others have filled.
const ROOM: Duration = Duration::from_millis(10);
/// How much later than it should the library may give up a message: it looks once a second, twice for what is on its way.
const TICKS: Duration = Duration::from_secs(5);

pub(super) struct Batch<'a> {
    shared: &'a Arc<Shared>,
    producer: Arc<Producer>,
    envelopes: &'a [Arc<Envelope>],
    homes: &'a [Home],
    results: Vec<Sent>,
    /// How many were published and have no result yet.
    open: usize,
    /// How large these are together.
    weight: usize,
    reports: UnboundedReceiver<Report>,
    reporter: UnboundedSender<Report>,
    /// Whether the producer is of no use any more.
    spoilt: bool,
}

/// What became of an attempt to publish an event.
enum Published {
    Yes,
    /// There is no room at the moment.
    Later,
}

impl<'a> Batch<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, envelopes: &'a [Arc<Envelope>], homes: &'a [Home]) -> Self {
        let (reporter, reports) = unbounded_channel();
        let results = envelopes.iter().map(|_| None).collect();
        Self { shared, producer: shared.producer(), envelopes, homes, results, open: 0, weight: 0, reports, reporter, spoilt: false }
    }

    /// Publishes the events at these places and waits for their confirmations.
    pub(super) async fn run(mut self, all: Vec<usize>) -> Vec<Sent> {
        // From before the first is published: whatever happens is heard.
        let mut losses = self.producer.ears().losses();
        let mut places = all.iter().copied().peekable();
        // When to give up although the library has not: nobody is left, or nothing happens.
        let (mut lost, mut silent): (Option<Instant>, _) = (None, self.patience());
        while (!self.spoilt && places.peek().is_some()) || self.open > 0 {
            let mut room = None;
            if !self.spoilt
                && let Some(n) = places.peek().copied()
                && self.has_room_for(n)
            {
                match self.publish(n) {
                    Published::Yes => {
                        places.next();
                        // Confirmations may have come meanwhile; but first all that can go out.
                        continue;
                    }
                    Published::Later => room = Some(Instant::now() + ROOM),
                }
            }
            let end = lost.unwrap_or(silent).min(silent);
            tokio::select! {
                biased;
                Some((n, report)) = self.reports.recv() => {
                    if report.is_ok() {
                        lost = None;
                        silent = self.patience();
                    }
                    self.settle(n, report);
                }
                Ok(()) = losses.changed() => lost = lost.or(Some(Instant::now() + GRACE)),
                () = sleep_until(room.unwrap_or(end)) => {
                    if room.is_none_or(|room| room >= end) {
                        self.spoilt = true;
                        break;
                    }
                }
            }
        }
        if self.open > 0 {
            // They would be sent when nobody asks for them any more.
            self.producer.purge();
        }
        if self.spoilt {
            self.shared.replace(&self.producer);
        }
        for n in all {
            self.results[n]
                .get_or_insert_with(|| Err(Unsent::Failed(self.producer.ears().away("the connection was lost before it confirmed"))));
        }
        self.results
    }

    fn has_room_for(&self, n: usize) -> bool {
        self.open == 0 || (self.open < IN_FLIGHT && self.weight + self.envelopes[n].payload.len() <= WEIGHT)
    }

    fn patience(&self) -> Instant {
        Instant::now() + self.shared.settings.ack_timeout + TICKS
    }

    /// Puts the event at place `n` into the queue; its report is to come.
    fn publish(&mut self, n: usize) -> Published {
        let envelope = &self.envelopes[n];
        let (topic, headers) = match self.homes[n].as_ref().map_err(Clone::clone).and_then(|topic| Ok((topic, headers(envelope)?))) {
            Ok(ready) => ready,
            Err(failure) => {
                self.results[n] = Some(Err(Unsent::Failed(failure)));
                return Published::Yes;
            }
        };
        let letter = Letter { topic, key: envelope.key.as_deref().map(str::as_bytes), payload: Some(&envelope.payload), headers };
        match self.producer.send(n, letter, &self.reporter) {
            Ok(()) => {
                self.open += 1;
                self.weight += envelope.payload.len();
            }
            Err(Code::QueueFull) => return Published::Later,
            Err(code) => {
                self.spoilt |= is_fatal(code);
                let ears = self.producer.ears();
                // The queue looks at each event for itself.
                let unsent = match Unsent::new(ears, envelope, topic, code) {
                    Unsent::Doubtful(code) => Unsent::Failed(refused(ears, envelope, topic, code)),
                    unsent => unsent,
                };
                self.results[n] = Some(Err(unsent));
            }
        }
        Published::Yes
    }

    fn settle(&mut self, n: usize, report: Result<(), Code>) {
        self.open -= 1;
        self.weight -= self.envelopes[n].payload.len();
        // What was not confirmed in time will keep the others waiting too: the rest of the batch is not even tried.
        self.spoilt |= report.is_err_and(|code| code == Code::MessageTimedOut || is_fatal(code));
        let topic = self.homes[n].as_deref().unwrap_or_default();
        if report == Err(Code::TopicAuthorizationFailed) {
            // The library refuses that topic by itself from now on, until it is asked for again.
            self.shared.forget(topic);
        }
        let ears = self.producer.ears();
        self.results[n] = Some(report.map_err(|code| Unsent::new(ears, &self.envelopes[n], topic, code)));
    }
}
