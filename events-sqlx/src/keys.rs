//! Numbers the keyed events of one unit of work and finds out which of their deliveries must wait.

#![cfg_attr(
    not(all(feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "each database system asks only some of these questions")
)]

use events_core::{EventId, Planned};
use std::collections::BTreeMap;

/// The keyed events of one unit of work, by key. Sorted, so that all transactions lock keys in the same order and cannot deadlock.
#[derive(Debug, Default)]
pub(crate) struct Keys(BTreeMap<String, KeyEvents>);

/// The events of one key, in the order of publishing.
#[derive(Debug, Default)]
pub(crate) struct KeyEvents {
    events: Vec<EventId>,
    targets: Vec<String>,
    first_seq: i64,
}

impl Keys {
    pub(crate) fn of(planned: &[Planned]) -> Self {
        let mut keys: BTreeMap<String, KeyEvents> = BTreeMap::new();
        for delivery in planned.iter().map(Planned::delivery) {
            let Some(key) = &delivery.envelope.key else { continue };
            // Most units of work publish one event per key: no allocation for the lookup.
            let entry = match keys.get_mut(key) {
                Some(entry) => entry,
                None => keys.entry(key.clone()).or_default(),
            };
            if entry.events.last() != Some(&delivery.envelope.id) {
                entry.events.push(delivery.envelope.id);
            }
            if !entry.targets.iter().any(|target| **target == *delivery.target) {
                entry.targets.push(delivery.target.to_string());
            }
        }
        Self(keys)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut KeyEvents)> {
        self.0.iter_mut()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every line: a key and one of the targets of its events.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().flat_map(|(key, events)| events.targets.iter().map(move |target| (key.clone(), target.clone())))
    }

    /// The keys and how many events each has, sorted by key.
    pub(crate) fn counts(&self) -> Vec<(&str, i64)> {
        self.0.iter().map(|(key, events)| (key.as_str(), events.len())).collect()
    }

    /// How many events of the same key come after this one.
    pub(crate) fn behind(&self, planned: &Planned) -> Option<i64> {
        let envelope = &planned.delivery().envelope;
        let events = &self.0.get(envelope.key.as_ref()?)?.events;
        let behind = events.iter().rev().position(|id| *id == envelope.id)?;
        i64::try_from(behind).ok()
    }

    /// The place of an event in its key's order.
    pub(crate) fn seq(&self, planned: &Planned) -> Option<i64> {
        let envelope = &planned.delivery().envelope;
        let entry = self.0.get(envelope.key.as_ref()?)?;
        let index = entry.events.iter().position(|id| *id == envelope.id)?;
        Some(entry.first_seq + i64::try_from(index).ok()?)
    }
}

impl KeyEvents {
    pub(crate) fn len(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap_or(i64::MAX)
    }

    pub(crate) fn numbered(&mut self, last_seq: i64) {
        self.first_seq = last_seq - self.len() + 1;
    }
}

/// Marks the deliveries that must wait: those whose target still has an earlier delivery of the key, in the table or in this batch.
pub(crate) fn mark_waiting(planned: &mut [Planned], mut occupied: Vec<(String, String)>) {
    for delivery in planned {
        let Some(key) = delivery.delivery().envelope.key.clone() else { continue };
        let target = &delivery.delivery().target;
        if occupied.iter().any(|(other, by)| *other == key && **by == **target) {
            delivery.wait_for_key();
        } else {
            occupied.push((key, target.to_string()));
        }
    }
}
