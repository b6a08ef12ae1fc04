//! From a transaction to the relay: deliveries are planned before the INSERT and handed over after COMMIT, with no await in between.

use crate::dispatcher::Verdict;
use crate::engine::Engine;
use crate::instrument::Stopwatch;
use crate::lane::{Holds, InFlight, Lane, Room, Source};
use crate::meter::Uncounted;
use crate::options::MEMORY_UNIT;
use crate::{Collected, Delivery, DeliveryId, Envelope, Error, Lease, LeaseToken, Outcome, Relay};
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Relay {
    /// Turns collected events into deliveries, one per event and target, and reserves room in memory where there is some.
    ///
    /// The leases of deliveries with room begin now, a little before the database's: take the plan just before the INSERT.
    ///
    /// # Errors
    /// An event is not declared.
    pub fn plan(&self, events: Vec<Collected>) -> Result<HandOver, Error> {
        let engine = &self.0;
        let (watch, mut uncounted) = (Stopwatch::start(), Uncounted::default());
        let token = LeaseToken::fresh();
        let mut planned = Vec::with_capacity(events.len());
        let mut two_phase: Vec<(usize, Vec<Arc<Envelope>>)> = Vec::new();
        for event in events {
            let route = engine.registry.route(&event.envelope.topic, event.envelope.version)?;
            let delay = event.delay();
            uncounted.push(&event.envelope);
            if let Some(index) = route.two_phase {
                if !delay.is_zero() {
                    let transport = engine.registry.two_phase[index].name().to_owned();
                    return Err(Error::DelayedTwoPhase { topic: event.envelope.topic.to_string(), transport });
                }
                match two_phase.iter_mut().find(|(known, _)| *known == index) {
                    Some((_, batch)) => batch.push(Arc::clone(&event.envelope)),
                    None => two_phase.push((index, vec![Arc::clone(&event.envelope)])),
                }
            }
            for (number, index) in route.targets.iter().enumerate() {
                let lane = &engine.lanes[*index];
                let room = if delay.is_zero() { engine.reserve(lane, event.envelope.payload.len()) } else { None };
                planned.push(Planned {
                    delivery: Delivery {
                        lease: Lease { id: DeliveryId::of(event.envelope.id, number), token },
                        target: Arc::clone(&lane.target.name),
                        envelope: Arc::clone(&event.envelope),
                        failed: 0,
                        abandoned: 0,
                        failures: Vec::new(),
                    },
                    delay,
                    lane: *index,
                    room,
                    waits_for_key: false,
                    stored: None,
                });
            }
        }
        Ok(HandOver { engine: Arc::clone(engine), planned, two_phase, begun: Instant::now(), watch, uncounted })
    }

    /// Delivers events to all their targets at once, without storing them: no retry, no second chance.
    ///
    /// # Errors
    /// An event is not declared, or the first target that failed.
    pub async fn send_now(&self, events: Vec<Collected>) -> Result<(), Error> {
        let mut plan = self.plan(events)?;
        if let Some((index, batch)) = plan.two_phase.first() {
            return Err(Error::SendNow {
                topic: batch[0].topic.to_string(),
                target: self.0.registry.two_phase[*index].name().to_owned(),
                reason: "it needs a transaction to wait for; publish it with `OutsideUnitOfWork::OwnTransaction`".into(),
            });
        }
        for planned in plan.planned.drain(..) {
            let lane = &self.0.lanes[planned.lane];
            let verdicts = self.0.deliver(lane, std::iter::once(&planned.delivery)).await;
            let reason = match verdicts.into_iter().next() {
                Some(Verdict::Settle(Outcome::Delivered) | Verdict::Settled { .. }) => continue,
                Some(Verdict::Settle(Outcome::Retry { failures, .. } | Outcome::Dead { failures, .. })) => {
                    failures.into_iter().next_back().map_or_else(String::new, |failure| failure.error)
                }
                Some(Verdict::Unavailable(reason)) => reason,
                _ => "it needs a stored delivery; publish it with `OutsideUnitOfWork::OwnTransaction`".into(),
            };
            return Err(Error::SendNow {
                topic: planned.delivery.envelope.topic.to_string(),
                target: planned.delivery.target.to_string(),
                reason,
            });
        }
        Ok(())
    }
}

/// A delivery about to be stored.
pub struct Planned {
    delivery: Delivery,
    delay: Duration,
    lane: usize,
    room: Option<Room>,
    waits_for_key: bool,
    /// The envelope as it is stored, where that differs.
    stored: Option<Arc<Envelope>>,
}

impl Planned {
    /// The delivery.
    #[must_use]
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The envelope as it is to be stored: that of the delivery, or sealed.
    #[must_use]
    pub fn stored(&self) -> &Envelope {
        self.stored.as_ref().unwrap_or(&self.delivery.envelope)
    }

    /// How long after COMMIT it becomes deliverable.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether the row is to be inserted leased to this process.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        self.room.is_some()
    }

    /// Whether an earlier delivery of the same key is not settled yet, so that the row is to be inserted waiting.
    #[must_use]
    pub fn waits_for_key(&self) -> bool {
        self.waits_for_key
    }

    /// Notes that an earlier delivery of the same key is not settled yet: nothing is handed over, the key's turn will come.
    pub fn wait_for_key(&mut self) {
        self.waits_for_key = true;
        self.room = None;
    }
}

/// Deliveries on their way from a transaction to the relay. Dropped, it forgets them: their rows, if any, are the scanner's.
#[must_use = "call `.hand_over()` after COMMIT"]
pub struct HandOver {
    pub(crate) engine: Arc<Engine>,
    planned: Vec<Planned>,
    /// What goes to which two-phase transport.
    pub(crate) two_phase: Vec<(usize, Vec<Arc<Envelope>>)>,
    begun: Instant,
    watch: Stopwatch,
    uncounted: Uncounted,
}

impl HandOver {
    /// The deliveries to store.
    #[must_use]
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// The deliveries to store, to mark those that wait for their key.
    pub fn planned_mut(&mut self) -> &mut [Planned] {
        &mut self.planned
    }

    /// Seals what is to be stored, each event once. What is handed over from memory stays in clear.
    ///
    /// # Errors
    /// The payload cannot be encrypted.
    #[cfg(feature = "encryption")]
    pub fn seal(&mut self, keys: &crate::PayloadKeys) -> Result<(), Error> {
        let mut sealed: Option<Arc<Envelope>> = None;
        for row in &mut self.planned {
            let event = &row.delivery.envelope;
            let stored = match sealed.take() {
                // The rows of an event stand one after the other.
                Some(stored) if stored.id == event.id => stored,
                _ => Arc::new(keys.seal(event).map_err(|source| Error::Encrypt { topic: event.topic.to_string(), source })?),
            };
            row.stored = Some(Arc::clone(&stored));
            sealed = Some(stored);
        }
        Ok(())
    }

    /// Hands the committed deliveries to the relay. Never waits, so that no cancellation can come between COMMIT and hand-over.
    pub fn hand_over(self) {
        let Self { engine, planned, begun, watch, uncounted, .. } = self;
        engine.meter.committed(watch, &uncounted, planned.len());
        let mut overflowed = false;
        let mut leased: Vec<(usize, InFlight)> = Vec::with_capacity(planned.len());
        for Planned { delivery, delay, lane, room, waits_for_key, .. } in planned {
            match room {
                Some(room) => {
                    let lease = engine.leases.hold(delivery.lease, begun + engine.options.lease);
                    leased.push((lane, InFlight { delivery, source: Source::Memory, holds: Holds { room, _lease: lease } }));
                }
                None if waits_for_key || !delay.is_zero() => {}
                None => {
                    // Said once more: what the scanner has looked for since the reservation was not committed yet.
                    engine.lanes[lane].window_filled();
                    if !engine.options.publish_only {
                        engine.lanes[lane].meter.overflowed();
                    }
                    overflowed = true;
                }
            }
        }
        if overflowed {
            engine.look_everywhere();
        }
        engine.accept(leased);
    }
}

impl Engine {
    fn reserve(&self, lane: &Arc<Lane>, payload: usize) -> Option<Room> {
        if self.is_closing() || self.options.publish_only {
            return None;
        }
        let units = u32::try_from(payload.div_ceil(MEMORY_UNIT).max(1)).ok()?;
        lane.reserve(Arc::clone(&self.memory).try_acquire_many_owned(units).ok()?)
    }
}
