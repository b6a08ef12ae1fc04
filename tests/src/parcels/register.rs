//! What all packers said, the dead ones too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What was received, by whom. Clones are one register.
#[derive(Clone, Debug, Default)]
pub struct Register(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    /// How many times each parcel's order was received.
    times: HashMap<i64, u64>,
    received: u64,
    last: Option<Instant>,
    packers: HashMap<u64, Entry>,
}

/// What one packer said.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    is_open: bool,
    received: u64,
    known: u64,
}

impl Register {
    /// A packer said a line.
    ///
    /// # Panics
    /// It means nothing.
    pub fn hear(&self, packer: u64, line: &str) {
        let mut entries = self.entries();
        let entries = &mut *entries;
        let entry = entries.packers.entry(packer).or_default();
        let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| panic!("`{line}`: no number"));
        match line.split_once(' ') {
            None if line == "open" => entry.is_open = true,
            Some(("known", count)) => entry.known = number(count).unsigned_abs(),
            Some(("got", n)) => {
                entry.received += 1;
                *entries.times.entry(number(n)).or_default() += 1;
                entries.received += 1;
                entries.last = Some(Instant::now());
            }
            _ => panic!("a packer said `{line}`"),
        }
    }

    /// How many orders were received, each counted once.
    #[must_use]
    pub fn orders(&self) -> u64 {
        self.entries().times.len() as u64
    }

    /// How many times an order was received that had been received before.
    #[must_use]
    pub fn redelivered(&self) -> u64 {
        let entries = self.entries();
        entries.received - entries.times.len() as u64
    }

    /// How many of them the inbox knew.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.entries().packers.values().map(|packer| packer.known).sum()
    }

    /// Whether a packer has opened.
    #[must_use]
    pub fn is_open(&self, packer: u64) -> bool {
        self.entries().packers.get(&packer).is_some_and(|entry| entry.is_open)
    }

    /// Whether a packer has received something.
    #[must_use]
    pub fn is_at_work(&self, packer: u64) -> bool {
        self.entries().packers.get(&packer).is_some_and(|entry| entry.received > 0)
    }

    /// For how long nobody has received anything.
    #[must_use]
    pub fn quiet(&self) -> Duration {
        self.entries().last.map_or(Duration::ZERO, |last| last.elapsed())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
