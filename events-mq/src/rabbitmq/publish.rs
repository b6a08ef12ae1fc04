//! Publishes on a channel of its own: everything at once, then one confirmation each.

use super::wire::{State, Wire};
use crate::failure::Failure;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use lapin::options::BasicPublishOptions;
use lapin::protocol::AMQPError;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, ErrorKind};
use std::{collections::HashSet, time::Duration};
use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::Instant;

/// How much of a batch waits for its confirmation at the same time, in letters and in bytes. The library copies the bytes.
const IN_FLIGHT: usize = 1_024;
const BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;

/// A message on its way to an exchange.
pub(super) struct Letter<'a> {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) payload: &'a [u8],
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Answer {
    /// All queues that take it have stored it.
    Stored,
    /// No queue takes it.
    Homeless,
    /// A queue that should take it did not.
    Refused,
    /// The channel was closed, perhaps because of another letter.
    Closed(AMQPError),
    Away(Failure),
}

/// One answer to each of the letters.
pub(super) async fn publish(wire: &Wire, patience: Duration, letters: &[Letter<'_>]) -> Vec<Answer> {
    let ready = match &*wire.state().borrow() {
        State::Blocked(reason) => Err(takes_nothing(wire, reason)),
        _ => Ok(()),
    };
    let channel = match ready {
        Ok(()) => wire.confirming_channel().await,
        Err(failure) => Err(failure),
    };
    let channel = match channel {
        Ok(channel) => channel,
        Err(failure) => return letters.iter().map(|_| Answer::Away(failure.clone())).collect(),
    };
    let mut batch = Batch { wire, letters, ends: letters.iter().map(|_| None).collect(), returned: HashSet::new() };
    let failure = batch.run(&channel, patience).await;
    if failure.is_some() {
        wire.set_aside(channel);
    } else if batch.ends.iter().all(|end| matches!(end, Some(End::Confirmed { .. } | End::Refused))) {
        wire.give_back(channel);
    }
    batch.answers(failure.as_ref())
}

/// How one letter ended on the channel.
enum End {
    /// The confirmation may bring back a letter, though not always the one that it confirms.
    Confirmed {
        with: Option<ShortString>,
    },
    Refused,
    Failed(ErrorKind),
}

struct Batch<'a> {
    wire: &'a Wire,
    letters: &'a [Letter<'a>],
    ends: Vec<Option<End>>,
    /// The ids of those that came back.
    returned: HashSet<ShortString>,
}

impl Batch<'_> {
    /// Until everything has ended, or the server takes no more; then why.
    async fn run(&mut self, channel: &Channel, patience: Duration) -> Option<Failure> {
        let letters = self.letters;
        let (mut confirmations, mut next, mut bytes) = (FuturesUnordered::new(), 0, 0);
        let mut state = self.wire.state();
        let mut deadline = Instant::now() + patience;
        loop {
            while next < letters.len() && confirmations.len() < IN_FLIGHT && (bytes < BYTES_IN_FLIGHT || confirmations.is_empty()) {
                bytes += letters[next].payload.len();
                confirmations.push(send(channel, next, &letters[next]));
                next += 1;
            }
            let failure = tokio::select! {
                biased;
                ended = confirmations.next() => match ended {
                    Some((n, end)) => {
                        bytes -= letters[n].payload.len();
                        deadline = Instant::now() + patience;
                        self.settle(n, end);
                        continue;
                    }
                    None => return None,
                },
                reason = blocked(&mut state) => takes_nothing(self.wire, &reason),
                () = tokio::time::sleep_until(deadline) => self.wire.hangs("confirm anything"),
            };
            // What has ended meanwhile counts.
            while let Some(Some((n, end))) = unconstrained(confirmations.next()).now_or_never() {
                self.settle(n, end);
            }
            return Some(failure);
        }
    }

    fn settle(&mut self, n: usize, end: End) {
        if let End::Confirmed { with: Some(id) } = &end {
            self.returned.insert(id.clone());
        }
        self.ends[n] = Some(end);
    }

    fn answers(&self, failure: Option<&Failure>) -> Vec<Answer> {
        let closed = self.ends.iter().find_map(|end| match end {
            Some(End::Failed(ErrorKind::ProtocolError(error))) if is_soft(error) => Some(error),
            _ => None,
        });
        let lost = |why: &str| Answer::Away(failure.cloned().unwrap_or_else(|| self.wire.away(why)));
        let answer = |(letter, end): (&Letter<'_>, &Option<End>)| match end {
            Some(End::Confirmed { .. }) if self.came_back(letter) => Answer::Homeless,
            // The library hands a letter that came back to whichever confirmation ends next. If some have not ended, this one's own return
            // may be with them.
            Some(End::Confirmed { with: Some(_) }) if failure.is_some() => lost("it did not confirm"),
            Some(End::Confirmed { .. }) => Answer::Stored,
            Some(End::Refused) => Answer::Refused,
            Some(End::Failed(kind)) => match closed {
                Some(error) => Answer::Closed(error.clone()),
                None => lost(&format!("the connection was lost before it confirmed ({})", lapin::Error::from(kind.clone()))),
            },
            None => lost("it did not confirm"),
        };
        self.letters.iter().zip(&self.ends).map(answer).collect()
    }

    fn came_back(&self, letter: &Letter<'_>) -> bool {
        match letter.properties.message_id() {
            Some(id) => self.returned.contains(id),
            // Strangers' messages have none, and travel alone.
            None => !self.returned.is_empty(),
        }
    }
}

async fn send(channel: &Channel, n: usize, letter: &Letter<'_>) -> (usize, End) {
    let Letter { exchange, routing_key, properties, payload } = letter;
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = async { channel.basic_publish(exchange.clone(), routing_key.clone(), options, payload, properties.clone()).await?.await };
    let end = match sent.await {
        Ok(Confirmation::Ack(returned)) => {
            End::Confirmed { with: returned.map(|it| it.properties.message_id().clone().unwrap_or_default()) }
        }
        Ok(Confirmation::Nack(_)) => End::Refused,
        // The channel was made to confirm.
        Ok(Confirmation::NotRequested) => End::Failed(ErrorKind::FutureCompleted),
        Err(error) => End::Failed(error.kind().clone()),
    };
    (n, end)
}

/// Waits until the server takes nothing any more; why.
async fn blocked(state: &mut watch::Receiver<State>) -> String {
    if let Ok(state) = state.wait_for(|state| matches!(state, State::Blocked(_))).await
        && let State::Blocked(reason) = &*state
    {
        return reason.clone();
    }
    // The connection has ended, and so will everything on it.
    std::future::pending().await
}

fn takes_nothing(wire: &Wire, reason: &str) -> Failure {
    wire.away(&format!("it takes nothing for now: {reason}"))
}

pub(super) fn is_soft(error: &AMQPError) -> bool {
    matches!(error.kind(), lapin::protocol::AMQPErrorKind::Soft(_))
}
