//! How far a queue has been read, and which of its messages wait for an answer. Knows no server and no clock but the one it is told.
//!
//! A broker keeps one number for a group and a queue: everything before it is dealt with. So that is what is told to it, and what was
//! answered out of turn is remembered here.

use super::message::Incoming;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How far reading may be ahead of the oldest message without an answer.
const SPAN: i64 = 2_000;

#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    /// There may be room for more.
    pub(super) room: Notify,
}

#[derive(Debug)]
struct State {
    /// What the broker was told; `None` if it has to be told anew.
    told: Option<i64>,
    /// What is read next.
    next: i64,
    open: BTreeMap<i64, Open>,
    /// How many of them were not handed out.
    waiting: usize,
}

/// A message without an answer.
#[derive(Clone, Debug)]
enum Open {
    Waiting,
    HandedOut {
        since: Instant,
        refusal: Refusal,
    },
    /// It was refused, and its broker does not know it yet.
    Refused(Refusal),
}

/// What a broker has to know to deliver a message again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) log_offset: i64,
    pub(super) id: String,
    pub(super) delay: Duration,
}

impl Refusal {
    pub(super) fn of(message: &Incoming, delay: Duration) -> Self {
        Self { log_offset: message.log_offset, id: message.id.clone(), delay }
    }
}

impl Progress {
    /// Of a queue whose broker has this number.
    pub(super) fn from(offset: i64) -> Self {
        let state = State { told: Some(offset), next: offset, open: BTreeMap::new(), waiting: 0 };
        Self { state: Mutex::new(state), room: Notify::new() }
    }

    pub(super) fn next(&self) -> i64 {
        self.state().next
    }

    /// For how many more messages there is room, if `prefetch` of them may wait. None until half of them were handed out.
    pub(super) fn room(&self, prefetch: usize) -> usize {
        let state = self.state();
        if state.waiting > prefetch / 2 || state.next - state.position() >= SPAN { 0 } else { prefetch - state.waiting }
    }

    /// What was read, and where to go on. Returns whether it was read for the first time: a request may have been overtaken.
    pub(super) fn read(&self, messages: &[Incoming], next: i64) {
        let mut state = self.state();
        for message in messages {
            state.open.insert(message.offset, Open::Waiting);
        }
        state.waiting += messages.len();
        state.next = next;
    }

    /// There is nothing at the place where we are: the broker has other messages than it had.
    pub(super) fn go_to(&self, next: i64) {
        let mut state = self.state();
        state.next = next;
        state.told = None;
    }

    pub(super) fn hand_out(&self, message: &Incoming) {
        let mut state = self.state();
        let refusal = Refusal::of(message, Duration::ZERO);
        state.open.insert(message.offset, Open::HandedOut { since: Instant::now(), refusal });
        state.waiting = state.waiting.saturating_sub(1);
        drop(state);
        self.room.notify_one();
    }

    /// It needs no further thought.
    pub(super) fn done(&self, offset: i64) {
        self.state().open.remove(&offset);
        self.room.notify_one();
    }

    /// It is to come again. The first answer counts: it may have been given up meanwhile.
    pub(super) fn refuse(&self, offset: i64, refusal: Refusal) -> bool {
        match self.state().open.get_mut(&offset) {
            Some(open) => {
                *open = Open::Refused(refusal);
                true
            }
            None => false,
        }
    }

    /// Messages that have no answer since so long ago are refused.
    pub(super) fn expire(&self, patience: Duration, delay: Duration) {
        for open in self.state().open.values_mut() {
            if let Open::HandedOut { since, refusal } = open
                && since.elapsed() > patience
            {
                *open = Open::Refused(Refusal { delay, ..refusal.clone() });
            }
        }
    }

    /// What brokers have to be told.
    pub(super) fn refusals(&self) -> Vec<(i64, Refusal)> {
        let refused = |(offset, open): (&i64, &Open)| match open {
            Open::Refused(refusal) => Some((*offset, refusal.clone())),
            _ => None,
        };
        self.state().open.iter().filter_map(refused).collect()
    }

    /// Whether something waits for an answer.
    pub(super) fn is_open(&self) -> bool {
        !self.state().open.is_empty()
    }

    /// Everything before it is dealt with.
    pub(super) fn position(&self) -> i64 {
        self.state().position()
    }

    /// The position, if the broker has to be told.
    pub(super) fn untold(&self) -> Option<i64> {
        let state = self.state();
        let position = state.position();
        (state.told != Some(position)).then_some(position)
    }

    pub(super) fn told(&self, position: i64) {
        self.state().told = Some(position);
    }

    /// The broker may have forgotten what it was told.
    pub(super) fn tell_again(&self) {
        self.state().told = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn position(&self) -> i64 {
        self.open.first_key_value().map_or(self.next, |(offset, _)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(offset: i64) -> Incoming {
        Incoming { properties: BTreeMap::new(), body: Bytes::new(), offset, log_offset: offset * 100, refused: 0, id: offset.to_string() }
    }

    fn read(offsets: std::ops::Range<i64>) -> Progress {
        let progress = Progress::from(offsets.start);
        progress.read(&offsets.clone().map(message).collect::<Vec<_>>(), offsets.end);
        progress
    }

    #[test]
    fn only_what_has_no_gap_is_told() {
        let progress = read(5..9);
        assert_eq!(progress.untold(), None);
        progress.done(6);
        assert_eq!((progress.position(), progress.untold()), (5, None));
        progress.done(5);
        assert_eq!(progress.untold(), Some(7));
        progress.told(7);
        assert_eq!(progress.untold(), None);
        progress.done(8);
        progress.done(7);
        assert_eq!((progress.untold(), progress.is_open()), (Some(9), false));
        progress.tell_again();
        assert_eq!(progress.untold(), Some(9));
    }

    #[test]
    fn messages_that_were_left_out_are_no_gap() {
        let progress = Progress::from(0);
        progress.read(&[message(3), message(7)], 10);
        progress.done(3);
        assert_eq!(progress.position(), 7);
        progress.done(7);
        assert_eq!(progress.position(), 10);
    }

    #[test]
    fn there_is_room_when_half_was_handed_out_and_never_far_ahead_of_what_has_no_answer() {
        let progress = read(0..4);
        assert_eq!(progress.room(4), 0);
        progress.hand_out(&message(0));
        assert_eq!(progress.room(4), 0);
        progress.hand_out(&message(1));
        assert_eq!(progress.room(4), 2);
        progress.read(&[], SPAN);
        assert_eq!(progress.room(4), 0);
        progress.done(0);
        assert_eq!(progress.room(4), 2);
    }

    #[test]
    fn without_an_answer_a_message_is_refused_in_time_and_its_first_answer_counts() {
        let progress = read(0..3);
        progress.hand_out(&message(0));
        progress.hand_out(&message(1));
        progress.expire(Duration::from_secs(60), Duration::ZERO);
        assert_eq!(progress.refusals(), []);
        assert!(progress.refuse(1, Refusal::of(&message(1), Duration::from_secs(7))));
        progress.expire(Duration::ZERO, Duration::from_secs(1));
        let refusals = progress.refusals();
        assert_eq!(refusals[0], (0, Refusal::of(&message(0), Duration::from_secs(1))));
        assert_eq!(refusals[1], (1, Refusal::of(&message(1), Duration::from_secs(7))));
        assert_eq!(refusals.len(), 2, "what waits in the prefetch was not handed out");
        progress.done(0);
        assert!(!progress.refuse(0, Refusal::of(&message(0), Duration::ZERO)));
    }
}
