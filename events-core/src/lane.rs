//! The deliveries of one target in memory: what waits, how many run, and whether the target is paused.

use crate::leases::HeldLease;
use crate::meter::TargetMeter;
use crate::targets::Target;
use crate::{Delivery, retry::around};
use std::collections::VecDeque;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};
use std::time::{Duration, Instant};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

/// The first pause of an unavailable target, the last, and what makes the scanner's appetite grow or shrink.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(30);
const FAST_DRAIN: Duration = Duration::from_secs(1);
const SLOW_DRAIN: Duration = Duration::from_secs(5);
/// How many deliveries the scanner asks for at first, before it knows how fast the target is and how large the payloads are.
const FIRST_WINDOW: usize = 64;

/// Where a delivery came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Memory,
    Scanner,
}

/// A delivery in memory, with what it holds until it is settled.
pub(crate) struct InFlight {
    pub(crate) delivery: Delivery,
    pub(crate) source: Source,
    pub(crate) holds: Holds,
}

/// The room of a delivery in memory, and its lease.
pub(crate) struct Holds {
    pub(crate) room: Room,
    pub(crate) _lease: HeldLease,
}

/// A place in a lane, from reservation to settlement.
pub(crate) struct Room {
    pub(crate) lane: Arc<Lane>,
    _memory: Option<OwnedSemaphorePermit>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.lane.held.fetch_sub(1, AcqRel);
        self.lane.meter.left();
    }
}

pub(crate) struct Lane {
    pub(crate) target: Target,
    pub(crate) meter: TargetMeter,
    /// Deliveries that have room: reserved, waiting, running or being settled.
    held: AtomicUsize,
    /// How many of them may come from memory.
    hand_over: usize,
    /// Upper bound of the scanner's appetite.
    max_window: usize,
    /// The mean size of the payloads the scanner last leased, in bytes.
    payload: AtomicUsize,
    state: Mutex<State>,
    workers: Mutex<JoinSet<()>>,
    /// A permit per idle worker that was called.
    calls: Semaphore,
}

struct State {
    waiting: VecDeque<InFlight>,
    /// Workers that were called or started, and have not run out of deliveries yet.
    running: usize,
    /// Workers that wait to be called.
    idle: usize,
    breaker: Breaker,
    /// How many deliveries the scanner keeps in memory; it follows the target's speed.
    window: usize,
    /// When the scanner last filled the window; `None` if the table had no more.
    filled: Option<Instant>,
}

impl State {
    fn is_low(&self) -> bool {
        self.filled.is_some() && self.waiting.len() * 2 <= self.window
    }
}

/// Whether the target is believed to be there.
enum Breaker {
    Closed,
    /// After `until` a single delivery probes the target.
    Paused {
        until: Instant,
        pause: Duration,
    },
}

impl Lane {
    pub(crate) fn new(target: Target, meter: TargetMeter, hand_over: usize, max_window: usize) -> Self {
        Self {
            target,
            meter,
            held: AtomicUsize::new(0),
            hand_over,
            max_window: max_window.max(FIRST_WINDOW),
            payload: AtomicUsize::new(0),
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                running: 0,
                idle: 0,
                breaker: Breaker::Closed,
                window: FIRST_WINDOW,
                filled: None,
            }),
            workers: Mutex::default(),
            calls: Semaphore::new(0),
        }
    }

    /// Room for a delivery from memory, unless there is none or the target is paused.
    pub(crate) fn reserve(self: &Arc<Self>, memory: OwnedSemaphorePermit) -> Option<Room> {
        if !matches!(self.state().breaker, Breaker::Closed) {
            return None;
        }
        let room = Room { lane: Arc::clone(self), _memory: Some(memory) };
        self.meter.entered();
        // The room counts itself out again if there turns out to be none.
        if self.held.fetch_add(1, AcqRel) < self.hand_over {
            return Some(room);
        }
        self.window_filled();
        None
    }

    /// Room for a delivery that the scanner leased; the appetite has bounded their number.
    pub(crate) fn room(self: &Arc<Self>) -> Room {
        self.held.fetch_add(1, AcqRel);
        self.meter.entered();
        Room { lane: Arc::clone(self), _memory: None }
    }

    pub(crate) fn held(&self) -> usize {
        self.held.load(Acquire)
    }

    /// How many deliveries the scanner should lease now, so that their payloads fit into `memory` bytes.
    pub(crate) fn appetite(&self, memory: usize) -> usize {
        let fit = memory / self.payload.load(Relaxed).max(1);
        self.hunger().min(fit.max(1))
    }

    /// Notes the mean size of payloads, in bytes.
    pub(crate) fn payloads_weigh(&self, mean: usize) {
        self.payload.store(mean, Relaxed);
    }

    fn hunger(&self) -> usize {
        let mut state = self.state();
        let busy = state.waiting.len() + state.running;
        match state.breaker {
            Breaker::Paused { until, .. } => usize::from(Instant::now() >= until && busy == 0),
            Breaker::Closed if state.waiting.len() * 2 > state.window || self.held() > self.max_window * 4 => 0,
            Breaker::Closed => {
                match state.filled.map(|filled| filled.elapsed()) {
                    Some(took) if took < FAST_DRAIN => state.window = (state.window * 2).min(self.max_window),
                    Some(took) if took > SLOW_DRAIN => state.window = (state.window / 2).max(self.target.concurrency).max(16),
                    _ => {}
                }
                let hunger = state.window.saturating_sub(busy);
                // What there is more is only looked for now if there is room for it.
                state.filled = state.filled.filter(|_| hunger == 0).map(|_| Instant::now());
                hunger
            }
        }
    }

    /// Notes that there is probably more in the table: the scanner got all it asked for, or a commit found no room.
    pub(crate) fn window_filled(&self) {
        self.state().filled = Some(Instant::now());
    }

    /// Puts deliveries in line and gets as many workers going as are useful. Idle ones are called: a task for each delivery would cost more
    /// than most handlers.
    pub(crate) fn push<F>(&self, runtime: &Handle, arrivals: impl IntoIterator<Item = InFlight>, worker: impl Fn() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (call, start) = {
            let mut state = self.state();
            state.waiting.extend(arrivals);
            let useful = state.waiting.len().div_ceil(self.target.max_batch);
            let more = self.target.concurrency.saturating_sub(state.running).min(useful);
            let call = more.min(state.idle);
            state.running += more;
            state.idle -= call;
            (call, more - call)
        };
        self.calls.add_permits(call);
        if start > 0 {
            let mut workers = self.workers();
            for _ in 0..start {
                workers.spawn_on(worker(), runtime);
            }
        }
    }

    /// The next deliveries for a worker. After an empty batch it must wait to be called. The flag says that the scanner should bring more.
    pub(crate) fn pop(&self) -> (Vec<InFlight>, bool) {
        let mut state = self.state();
        let many = state.waiting.len().min(self.target.max_batch);
        let batch: Vec<InFlight> = state.waiting.drain(..many).collect();
        if batch.is_empty() {
            state.running -= 1;
            state.idle += 1;
        }
        (batch, state.is_low())
    }

    /// Waits until an idle worker is called. Every call reaches one worker, even if that has not come to wait yet.
    pub(crate) async fn called(&self) {
        // It is never closed.
        if let Ok(call) = self.calls.acquire().await {
            call.forget();
        }
    }

    /// Whether the scanner should bring more.
    pub(crate) fn is_low(&self) -> bool {
        self.state().is_low()
    }

    /// The target answered: a pause is over.
    pub(crate) fn answered(&self) -> bool {
        let mut state = self.state();
        let was_paused = matches!(state.breaker, Breaker::Paused { .. });
        state.breaker = Breaker::Closed;
        if was_paused {
            self.meter.resumed();
        }
        was_paused
    }

    /// The target is away: pause it, twice as long each time, and return what waited for it.
    pub(crate) fn pause(&self) -> Option<(Duration, Vec<InFlight>)> {
        let mut state = self.state();
        let now = Instant::now();
        let pause = match state.breaker {
            Breaker::Closed => FIRST_PAUSE,
            // Deliveries that were under way when the pause began say nothing new.
            Breaker::Paused { until, .. } if now < until => return None,
            Breaker::Paused { pause, .. } => (pause * 2).min(LAST_PAUSE),
        };
        let pause_now = around(pause);
        state.breaker = Breaker::Paused { until: now + pause_now, pause };
        self.meter.paused();
        Some((pause_now, state.waiting.drain(..).collect()))
    }

    /// Takes out everything that waits.
    pub(crate) fn clear(&self) -> Vec<InFlight> {
        self.state().waiting.drain(..).collect()
    }

    /// Ends the workers, whatever they are doing.
    pub(crate) fn abort(&self) {
        self.workers().abort_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn workers(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
