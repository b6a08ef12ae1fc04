//! One subscriber as a member of its group: which queues it has, and what their brokers have to be told.

use super::consumer::Plan;
use super::intake::{self, Arrival};
use super::link::Link;
use super::progress::Progress;
use super::route::{self, Queue};
use super::{group, names};
use crate::failure::Failure;
use events_core::EventId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// How often the group is looked at, and the brokers are told what they have to know.
const TICK: Duration = Duration::from_secs(1);
/// How often a member says that it is there, and looks where the queues are.
const BEAT: Duration = Duration::from_secs(10);

pub(super) struct Member {
    /// Of its own: a broker knows a member by its connection.
    pub(super) link: Link,
    pub(super) plan: Plan,
    id: String,
    assigned: Mutex<BTreeMap<(String, Queue), Arc<Assigned>>>,
    pub(super) pulse: Pulse,
    arrivals: mpsc::UnboundedSender<Arrival>,
    /// Why it is a member no more.
    pub(super) ended: watch::Sender<Option<String>>,
    keeper: Mutex<Option<AbortHandle>>,
}

/// A queue that is ours to read.
pub(super) struct Assigned {
    pub(super) topic: String,
    pub(super) queue: Queue,
    pub(super) progress: Progress,
    /// It went to another member.
    revoked: AtomicBool,
    puller: Mutex<Option<AbortHandle>>,
}

/// Whether anybody is there who handles events.
pub(super) struct Pulse {
    felt: Mutex<Instant>,
    /// Somebody waits for an event.
    pub(super) waiting: AtomicBool,
}

/// What a member knows of the cluster.
struct View {
    queues: Vec<Queue>,
    retries: Vec<Queue>,
    brokers: BTreeSet<Arc<str>>,
    looked: Instant,
    beaten: Instant,
}

impl Member {
    /// Joins the group, and begins to read.
    pub(super) async fn join(link: Link, plan: Plan, arrivals: mpsc::UnboundedSender<Arrival>) -> Result<Arc<Self>, Failure> {
        let this = Arc::new(Self {
            link,
            plan,
            id: format!("events@{}#{}", std::process::id(), EventId::now()),
            assigned: Mutex::default(),
            pulse: Pulse { felt: Mutex::new(Instant::now()), waiting: AtomicBool::new(false) },
            arrivals,
            ended: watch::Sender::new(None),
            keeper: Mutex::default(),
        });
        let mut view = this.view().await?;
        this.beat(&mut view).await?;
        if let Err(failure) = this.assign(&view).await {
            this.leave("it could not begin").await;
            return Err(failure);
        }
        let keeper = tokio::spawn(Arc::clone(&this).keep(view));
        *lock(&this.keeper) = Some(keeper.abort_handle());
        Ok(this)
    }

    /// Gives everything back, and tells the brokers how far it came.
    pub(super) async fn leave(&self, why: &str) {
        if let Some(keeper) = lock(&self.keeper).take() {
            keeper.abort();
        }
        self.end(why).await;
    }

    async fn end(&self, why: &str) {
        let all: Vec<_> = std::mem::take(&mut *lock(&self.assigned)).into_values().collect();
        all.iter().for_each(|assigned| assigned.revoke());
        self.ended.send_replace(Some(why.to_owned()));
        let brokers: BTreeSet<_> = all.iter().map(|assigned| Arc::clone(&assigned.queue.address)).collect();
        let farewell = async {
            for assigned in &all {
                self.tell_position(assigned).await?;
            }
            for broker in &brokers {
                group::leave(&self.link, broker, &self.plan.group, &self.id).await?;
            }
            Ok::<_, Failure>(())
        };
        if let Ok(Err(failure)) = tokio::time::timeout(self.link.settings().ack_timeout, farewell).await {
            tracing::debug!(group = self.plan.group, error = failure.text(), "the brokers could not be told that a subscriber left");
        }
    }

    /// Looks after everything until it leaves.
    async fn keep(self: Arc<Self>, mut view: View) {
        loop {
            tokio::time::sleep(TICK).await;
            if self.is_lifeless() {
                let why = format!("it had events, and neither answered nor asked for any for {:?}", self.plan.ack_wait);
                tracing::warn!(group = self.plan.group, "a subscriber leaves its group, because {why}");
                return self.end(&why).await;
            }
            if let Err(failure) = self.tick(&mut view).await {
                tracing::info!(group = self.plan.group, error = failure.text(), "a group cannot be looked after; it is tried again");
            }
        }
    }

    async fn tick(self: &Arc<Self>, view: &mut View) -> Result<(), Failure> {
        for assigned in self.all() {
            assigned.progress.expire(self.plan.ack_wait, Duration::ZERO);
            for (offset, refusal) in assigned.progress.refusals() {
                self.send_back(&assigned, offset, &refusal).await?;
            }
            self.tell_position(&assigned).await?;
        }
        if view.looked.elapsed() > BEAT || view.retries.is_empty() {
            *view = View { beaten: view.beaten, ..self.view().await? };
        }
        if view.beaten.elapsed() > BEAT {
            self.beat(view).await?;
        }
        self.assign(view).await
    }

    async fn view(&self) -> Result<View, Failure> {
        let settings = self.link.settings();
        let queues = route::prepare(&self.link, &settings.topic, settings.queues).await?.read;
        // The brokers make this one when somebody joins.
        let retries = route::look(&self.link, &names::retries_of(&self.plan.group)).await?.map(|route| route.read).unwrap_or_default();
        let brokers = queues.iter().map(|queue| Arc::clone(&queue.address)).collect();
        Ok(View { queues, retries, brokers, looked: Instant::now(), beaten: Instant::now() })
    }

    /// Says that it is there.
    async fn beat(&self, view: &mut View) -> Result<(), Failure> {
        let (group, topic, filter) = (&self.plan.group, &self.link.settings().topic, self.filter());
        for broker in &view.brokers {
            group::join(&self.link, broker, group, &self.id, topic, &filter).await?;
        }
        view.beaten = Instant::now();
        Ok(())
    }

    /// Takes the queues that are ours, and lets go of the others.
    async fn assign(self: &Arc<Self>, view: &View) -> Result<(), Failure> {
        let (group, topic) = (&self.plan.group, &self.link.settings().topic);
        let Some(broker) = view.brokers.first() else {
            return Err(self.link.away(self.link.address(), &format!("no broker that has topic `{topic}` is there")));
        };
        let mut members = group::members(&self.link, broker, group).await?;
        if !members.contains(&self.id) {
            // It was started anew, and may have forgotten what it was told.
            self.link.forget(broker);
            group::join(&self.link, broker, group, &self.id, topic, &self.filter()).await?;
            self.all().iter().for_each(|assigned| assigned.progress.tell_again());
            members = group::members(&self.link, broker, group).await?;
        }
        let ours = |topic: &str, queues| {
            group::part(queues, &members, &self.id).iter().map(|queue: &Queue| (topic.to_owned(), queue.clone())).collect()
        };
        let mut wanted: BTreeSet<(String, Queue)> = ours(topic, &view.queues);
        wanted.extend::<BTreeSet<_>>(ours(&names::retries_of(group), &view.retries));
        let lost: Vec<_> = lock(&self.assigned).extract_if(.., |key, _| !wanted.contains(key)).map(|(_, assigned)| assigned).collect();
        for assigned in lost {
            assigned.revoke();
            self.tell_position(&assigned).await?;
        }
        for key in wanted {
            if !lock(&self.assigned).contains_key(&key) {
                let progress = self.begin(&key.0, &key.1).await?;
                let (topic, queue) = key.clone();
                let assigned = Arc::new(Assigned { topic, queue, progress, revoked: AtomicBool::new(false), puller: Mutex::default() });
                let puller = tokio::spawn(intake::pull(Arc::clone(self), Arc::clone(&assigned), self.arrivals.clone()));
                *lock(&assigned.puller) = Some(puller.abort_handle());
                lock(&self.assigned).insert(key, assigned);
            }
        }
        Ok(())
    }

    /// How many messages of one queue may wait to be handed out.
    pub(super) fn share(&self) -> usize {
        (self.plan.prefetch / lock(&self.assigned).len().max(1)).max(1)
    }

    /// Which messages of the topic it wants, as the brokers understand it.
    pub(super) fn filter(&self) -> String {
        if self.plan.topics.is_empty() { "*".to_owned() } else { self.plan.topics.join("||") }
    }

    fn all(&self) -> Vec<Arc<Assigned>> {
        lock(&self.assigned).values().cloned().collect()
    }

    fn is_lifeless(&self) -> bool {
        let idle = !self.pulse.waiting.load(Relaxed) && lock(&self.pulse.felt).elapsed() > self.plan.ack_wait;
        idle && self.all().iter().any(|assigned| assigned.progress.is_open())
    }
}

impl Assigned {
    pub(super) fn is_revoked(&self) -> bool {
        self.revoked.load(Relaxed)
    }

    fn revoke(&self) {
        self.revoked.store(true, Relaxed);
        if let Some(puller) = lock(&self.puller).take() {
            puller.abort();
        }
    }
}

impl Pulse {
    pub(super) fn beat(&self) {
        *lock(&self.felt) = Instant::now();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
