//! Who has which message, and how far a group has come. Knows no broker.
//!
//! Kafka remembers one number for each partition: everything before it is done. So it is told the place of the first message that is not,
//! whatever was done after it. Messages of one key are handed out one after the other.

use super::message::{Message, Place};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

/// The partitions that were assigned to us.
#[derive(Default)]
pub(super) struct Books {
    partitions: HashMap<(String, i32), Partition>,
    /// Can be handed out.
    ready: VecDeque<Message>,
    /// Will be ready; the number tells apart what is due at the same time.
    later: BTreeMap<(Instant, u64), Message>,
    count: u64,
}

/// What we have of one partition.
struct Partition {
    /// Which assignment this is. A message of an earlier one is another's now.
    epoch: u64,
    /// What was read and has no answer.
    open: BTreeSet<i64>,
    /// What of that somebody has in hand.
    out: BTreeSet<i64>,
    /// What comes after all that was read.
    next: Option<i64>,
    /// What was last told.
    told: Option<i64>,
    /// What waits behind a message of its key that has no answer yet.
    lines: HashMap<Vec<u8>, VecDeque<Message>>,
    is_paused: bool,
}

/// What is to be done with a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Pause,
    Resume,
}

/// The partition went to another subscriber.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stale;

/// The partition began again at an earlier place: somebody deleted its topic and made it again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewound;

impl Books {
    pub(super) fn assign(&mut self, topic: &str, partition: i32) {
        self.count += 1;
        let fresh = Partition {
            epoch: self.count,
            open: BTreeSet::new(),
            out: BTreeSet::new(),
            next: None,
            told: None,
            lines: HashMap::new(),
            is_paused: false,
        };
        self.partitions.insert((topic.to_owned(), partition), fresh);
    }

    pub(super) fn revoke(&mut self, topic: &str, partition: i32) {
        self.partitions.remove(&(topic.to_owned(), partition));
        let is_gone = |message: &Message| message.place.partition == partition && &*message.place.topic == topic;
        self.ready.retain(|message| !is_gone(message));
        self.later.retain(|_, message| !is_gone(message));
    }

    /// A message was read. It is handed out when its turn comes.
    pub(super) fn arrive(&mut self, mut message: Message) -> Result<(), Rewound> {
        let key = message.place.partition();
        let Some(partition) = self.partitions.get_mut(&key) else { return Ok(()) };
        if partition.next.is_some_and(|next| message.place.offset < next) {
            // What is known of it is true no more.
            self.revoke(&key.0, key.1);
            return Err(Rewound);
        }
        message.place.epoch = partition.epoch;
        partition.open.insert(message.place.offset);
        partition.next = Some(message.place.offset + 1);
        if let Some(key) = &message.key {
            if let Some(line) = partition.lines.get_mut(key) {
                line.push_back(message);
                return Ok(());
            }
            partition.lines.insert(key.clone(), VecDeque::new());
        }
        self.ready.push_back(message);
        Ok(())
    }

    /// What can be handed out now, or when that will be.
    pub(super) fn take(&mut self, now: Instant) -> Result<Message, Option<Instant>> {
        while let Some(entry) = self.later.first_entry() {
            if entry.key().0 > now {
                break;
            }
            self.ready.push_back(entry.remove());
        }
        let message = self.ready.pop_front().ok_or_else(|| self.later.keys().next().map(|(due, _)| *due))?;
        if let Some(partition) = self.partitions.get_mut(&message.place.partition()) {
            partition.out.insert(message.place.offset);
        }
        Ok(message)
    }

    /// Whether somebody has a message in hand.
    pub(super) fn has_any_out(&self) -> bool {
        self.partitions.values().any(|partition| !partition.out.is_empty())
    }

    /// We are in the group no more.
    pub(super) fn clear(&mut self) {
        // The count goes on, so that no old message is taken for a new one.
        *self = Self { count: self.count, ..Self::default() };
    }

    /// Whether the message is still ours to answer.
    pub(super) fn holds(&self, place: &Place) -> Result<(), Stale> {
        let partition = self.partitions.get(&place.partition()).filter(|it| it.epoch == place.epoch);
        partition.filter(|it| it.open.contains(&place.offset)).map(|_| ()).ok_or(Stale)
    }

    /// Takes a message back from who had it.
    fn take_back(&mut self, place: &Place) -> Result<&mut Partition, Stale> {
        self.holds(place)?;
        let partition = self.partitions.get_mut(&place.partition()).ok_or(Stale)?;
        partition.out.remove(&place.offset);
        Ok(partition)
    }

    /// A message is dealt with: the next of its key can go.
    pub(super) fn finish(&mut self, message: &Message) -> Result<(), Stale> {
        let partition = self.take_back(&message.place)?;
        partition.open.remove(&message.place.offset);
        if let Some(key) = &message.key
            && let Some(line) = partition.lines.get_mut(key)
        {
            match line.pop_front() {
                Some(next) => self.ready.push_back(next),
                None => {
                    partition.lines.remove(key);
                }
            }
        }
        Ok(())
    }

    /// A message comes again at `due`; those of its key wait for it.
    pub(super) fn postpone(&mut self, message: Message, due: Instant) -> Result<(), Stale> {
        self.take_back(&message.place)?;
        self.count += 1;
        self.later.insert((due, self.count), message);
        Ok(())
    }

    /// How far each partition has come, where that is news.
    pub(super) fn news(&mut self) -> Vec<(String, i32, i64)> {
        let mut news = Vec::new();
        for ((topic, number), partition) in &mut self.partitions {
            let reached = partition.open.first().copied().or(partition.next);
            if let Some(reached) = reached
                && partition.told != Some(reached)
            {
                // Nothing is done yet of what was read first.
                let is_first = partition.told.is_none() && partition.open.first() == Some(&reached);
                partition.told = Some(reached);
                if !is_first {
                    news.push((topic.clone(), *number, reached));
                }
            }
        }
        news
    }

    /// Which partitions have more unanswered messages than `limit` and must wait, and which can go on.
    pub(super) fn paces(&mut self, limit: usize) -> Vec<(String, i32, Pace)> {
        let mut paces = Vec::new();
        for ((topic, number), partition) in &mut self.partitions {
            let pace = match partition.is_paused {
                false if partition.open.len() >= limit => Pace::Pause,
                true if partition.open.len() <= limit / 2 => Pace::Resume,
                _ => continue,
            };
            partition.is_paused = pace == Pace::Pause;
            paces.push((topic.clone(), *number, pace));
        }
        paces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn message(offset: i64, key: Option<&str>) -> Message {
        Message {
            place: Place { topic: "t".into(), partition: 0, offset, epoch: 0 },
            key: key.map(|key| key.as_bytes().to_vec()),
            headers: Ok(Vec::new()),
            payload: None,
            delivered: 1,
        }
    }

    fn books(messages: &[(i64, Option<&str>)]) -> Books {
        let mut books = Books::default();
        books.assign("t", 0);
        for (offset, key) in messages {
            books.arrive(message(*offset, *key)).unwrap();
        }
        books
    }

    fn take(books: &mut Books) -> Option<Message> {
        books.take(Instant::now()).ok()
    }

    fn reached(books: &mut Books) -> Option<i64> {
        books.news().first().map(|(_, _, reached)| *reached)
    }

    #[test]
    fn kafka_is_told_the_first_message_without_an_answer() {
        // Offsets have gaps where transactions ended, or where old messages of a key were removed.
        let mut books = books(&[(5, None), (7, None), (8, None)]);
        assert_eq!(reached(&mut books), None);
        let (first, second, third) = (take(&mut books).unwrap(), take(&mut books).unwrap(), take(&mut books).unwrap());
        books.finish(&second).unwrap();
        assert_eq!(reached(&mut books), None);
        books.finish(&first).unwrap();
        assert_eq!(reached(&mut books), Some(8));
        assert_eq!(reached(&mut books), None, "once is enough");
        books.finish(&third).unwrap();
        assert_eq!(reached(&mut books), Some(9));
    }

    #[test]
    fn messages_of_a_key_wait_for_one_another_even_if_one_is_refused() {
        let mut books = books(&[(0, Some("a")), (1, Some("b")), (2, Some("a")), (3, Some("a"))]);
        let (first, other) = (take(&mut books).unwrap(), take(&mut books).unwrap());
        assert_eq!((first.place.offset, other.place.offset), (0, 1));
        assert!(take(&mut books).is_none());
        let due = Instant::now() + Duration::from_secs(60);
        books.postpone(first, due).unwrap();
        books.finish(&other).unwrap();
        assert_eq!(books.take(Instant::now()).unwrap_err(), Some(due));
        for offset in [0, 2, 3] {
            let next = books.take(due).unwrap();
            assert_eq!(next.place.offset, offset);
            assert!(books.take(due).is_err());
            books.finish(&next).unwrap();
        }
        assert_eq!(reached(&mut books), Some(4));
    }

    #[test]
    fn what_was_revoked_is_another_s_even_if_it_comes_back() {
        let mut books = books(&[(0, None), (1, None), (2, None)]);
        let (first, second) = (take(&mut books).unwrap(), take(&mut books).unwrap());
        books.postpone(second, Instant::now()).unwrap();
        books.revoke("t", 0);
        books.assign("t", 0);
        assert!(take(&mut books).is_none());
        assert_eq!(books.finish(&first), Err(Stale));
        books.arrive(message(0, None)).unwrap();
        let again = take(&mut books).unwrap();
        assert_eq!(books.finish(&first), Err(Stale));
        books.finish(&again).unwrap();
        assert_eq!(books.finish(&again), Err(Stale), "one answer is enough");
    }

    #[test]
    fn a_partition_that_begins_again_is_told_of_no_place_that_it_does_not_have() {
        let mut books = books(&[(7, None), (8, None)]);
        let first = take(&mut books).unwrap();
        books.finish(&first).unwrap();
        assert_eq!(books.arrive(message(0, None)), Err(Rewound));
        assert_eq!(reached(&mut books), None);
        assert!(take(&mut books).is_none());
    }

    #[test]
    fn a_partition_with_too_many_open_messages_waits_until_half_of_them_are_answered() {
        let mut books = books(&[(0, None), (1, None), (2, None), (3, None)]);
        let pace = |books: &mut Books| books.paces(4).first().map(|(_, _, pace)| *pace);
        assert_eq!(pace(&mut books), Some(Pace::Pause));
        assert_eq!(pace(&mut books), None);
        for _ in 0..2 {
            let next = take(&mut books).unwrap();
            books.finish(&next).unwrap();
        }
        assert_eq!(pace(&mut books), Some(Pace::Resume));
    }
}
