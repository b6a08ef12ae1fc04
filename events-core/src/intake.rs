//! What brokers deliver to this process: takes events from subscriptions, calls `#[subscribe]` handlers, acknowledges.
//!
//! A handler runs in a unit of work of its own that begins with a row in the inbox. Whoever finds that row there has handled the event
//! before, so its effect on the database is exactly once, however often the broker delivers.

use crate::Subscription;
use crate::dispatcher::guarded;
use crate::handler::{HandlerCall, HandlerDescriptor};
use crate::meter::{CallMeter, GroupMeter};
use crate::reception::Reception;
use crate::spans;
use crate::stats::{Counters, Health};
use crate::{
    BoxError, BoxFuture, Context, DeliveryError, DeliveryErrorKind, Envelope, EventId, InUnitOfWork, Receipt, ReceiveOutcome, Received,
};
use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicUsize,
        Ordering::{AcqRel, Acquire},
    },
};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::Instrument;

/// How many events of one subscription are handled at once.
const CONCURRENCY: usize = 16;
/// How long one call of a handler may take, unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A subscription, and the handlers of its group.
pub(crate) struct Subscribed {
    group: &'static str,
    handlers: Vec<&'static HandlerDescriptor>,
    /// Locked, so that a registry can be shared.
    subscription: tokio::sync::Mutex<Option<Box<dyn Subscription>>>,
}

impl Subscribed {
    pub(crate) fn new(group: &'static str, handlers: Vec<&'static HandlerDescriptor>, subscription: Box<dyn Subscription>) -> Self {
        Self { group, handlers, subscription: tokio::sync::Mutex::new(Some(subscription)) }
    }
}

/// One subscription and the handlers of its group, at work.
pub(crate) struct Intake {
    group: &'static str,
    handlers: Vec<Member>,
    meter: GroupMeter,
    /// Held by the loop that receives. A loop that panicked has let it go.
    subscription: tokio::sync::Mutex<Option<Box<dyn Subscription>>>,
    /// A permit per event that may be under way.
    places: Arc<Semaphore>,
    /// The keys of which an event is under way, each with those that came behind it.
    lines: Mutex<HashMap<String, VecDeque<Arrival>>>,
    under_way: Mutex<JoinSet<()>>,
    in_flight: AtomicUsize,
    pub(crate) health: Arc<Health>,
}

/// A handler of a group.
struct Member {
    handler: &'static HandlerDescriptor,
    calls: CallMeter,
}

/// An event in memory, with its place.
struct Arrival {
    received: Received,
    _counted: Counted,
    _place: OwnedSemaphorePermit,
}

/// Counts an event, until it is dropped.
struct Counted(Arc<Intake>);

impl Counted {
    fn in_(intake: &Arc<Intake>) -> Self {
        intake.in_flight.fetch_add(1, AcqRel);
        Self(Arc::clone(intake))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, AcqRel);
    }
}

/// What is to be told to the broker.
enum Answer {
    Ack,
    Nack(BoxError),
    Bury(BoxError),
}

impl Intake {
    pub(crate) fn new(subscribed: Subscribed, outbox: &str, counters: &Arc<Counters>) -> Self {
        let Subscribed { group, handlers, subscription } = subscribed;
        let member =
            |handler: &'static HandlerDescriptor| Member { handler, calls: CallMeter::of(outbox, handler.name, Arc::clone(counters)) };
        Self {
            group,
            handlers: handlers.into_iter().map(member).collect(),
            meter: GroupMeter::of(outbox, group, Arc::clone(counters)),
            subscription,
            places: Arc::new(Semaphore::new(CONCURRENCY)),
            lines: Mutex::default(),
            under_way: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            health: Arc::new(Health::of(group)),
        }
    }

    /// How many events are in memory: handled, or waiting for one of their key.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Acquire)
    }

    /// Ends the subscription, which gives back to the broker what it has prefetched. The loop must have been aborted before.
    pub(crate) async fn close(&self) {
        drop(self.subscription.lock().await.take());
    }

    /// Ends what is under way; the broker delivers it again.
    pub(crate) fn abort(&self) {
        self.lines().clear();
        self.under_way().abort_all();
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Arrival>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reception {
    /// Receives until the subscription ends or this process shuts down.
    pub(crate) async fn receive_for_ever(self: Arc<Self>, intake: Arc<Intake>) {
        let mut subscription = intake.subscription.lock().await;
        let Some(subscription) = subscription.as_mut() else { return };
        loop {
            // A place first: what has none stays with the broker.
            let Ok(place) = Arc::clone(&intake.places).acquire_owned().await else { return };
            let Some(received) = subscription.next().await else {
                tracing::warn!(group = intake.group, "a subscription has ended; its handlers get nothing more");
                return;
            };
            // No await from here: an event that was received is taken in.
            self.take_in(&intake, Arrival { received, _counted: Counted::in_(&intake), _place: place });
        }
    }

    /// Handles an event now, or after those of its key that came before.
    fn take_in(self: &Arc<Self>, intake: &Arc<Intake>, arrival: Arrival) {
        if let Some(key) = &arrival.received.envelope().key {
            let mut lines = intake.lines();
            if let Some(line) = lines.get_mut(key) {
                line.push_back(arrival);
                return;
            }
            lines.insert(key.clone(), VecDeque::new());
        }
        let (reception, line) = (Arc::clone(self), Arc::clone(intake));
        let mut under_way = intake.under_way();
        while under_way.try_join_next().is_some() {}
        under_way.spawn_on(async move { reception.follow_line(&line, arrival).await }, &self.runtime);
    }

    /// Handles an event, and then those that came behind it under the same key.
    async fn follow_line(&self, intake: &Intake, first: Arrival) {
        let key = first.received.envelope().key.clone();
        let mut next = Some(first);
        while let Some(arrival) = next {
            self.handle(intake, arrival).await;
            next = key.as_ref().and_then(|key| {
                let mut lines = intake.lines();
                let following = lines.get_mut(key).and_then(VecDeque::pop_front);
                if following.is_none() {
                    lines.remove(key);
                }
                following
            });
        }
    }

    async fn handle(&self, intake: &Intake, arrival: Arrival) {
        let Arrival { received, _counted, _place } = arrival;
        let envelope = Arc::clone(received.envelope());
        let answer = self.answer(intake, &envelope, received.deliveries()).await;
        let told = match answer {
            Answer::Ack => received.ack().await,
            Answer::Nack(reason) => {
                tracing::warn!(group = intake.group, topic = %envelope.topic, id = %envelope.id, %reason, "a received event failed; it comes again");
                received.nack(reason).await
            }
            Answer::Bury(reason) => {
                tracing::error!(group = intake.group, topic = %envelope.topic, id = %envelope.id, %reason, "a received event is given up");
                received.bury(reason).await
            }
        };
        match told {
            Ok(()) => intake.health.succeeded(),
            Err(error) => {
                intake.health.failed();
                tracing::warn!(group = intake.group, id = %envelope.id, %error, "the broker could not be told; the event comes again, and the inbox knows it");
            }
        }
    }

    /// Calls all handlers of the group for an event. Those that have handled it are not called again, so it can come until all have.
    async fn answer(&self, intake: &Intake, envelope: &Envelope, attempt: u32) -> Answer {
        let of_topic = intake.handlers.iter().filter(|member| member.handler.event.topic == &*envelope.topic);
        let (fitting, others): (Vec<_>, Vec<_>) =
            of_topic.partition(|member| member.handler.event.reads(&envelope.topic, envelope.version));
        if fitting.is_empty() {
            return unfit(envelope, &others);
        }
        let (mut again, mut hopeless) = (None, None);
        for member in fitting {
            let span = spans::receive(intake.group, member.handler.name, envelope, attempt);
            let received = self.receive(intake, member, envelope, attempt).instrument(span.clone()).await;
            spans::received(&span, &received);
            match received {
                Ok(_) => {}
                Err(error) => {
                    let place = match error.kind() {
                        DeliveryErrorKind::Terminal | DeliveryErrorKind::Undecodable => &mut hopeless,
                        DeliveryErrorKind::Retryable(_) | DeliveryErrorKind::Unavailable => &mut again,
                    };
                    place.get_or_insert_with(|| format!("`{}`: {}", member.handler.name, error.report()));
                }
            }
        }
        match (again, hopeless) {
            (Some(reason), _) => Answer::Nack(reason.into()),
            (None, Some(reason)) => Answer::Bury(reason.into()),
            (None, None) => Answer::Ack,
        }
    }

    /// Calls a handler, unless it has handled the event before; returns which of the two it was, in a word.
    async fn receive(&self, intake: &Intake, member: &Member, envelope: &Envelope, attempt: u32) -> Result<&'static str, DeliveryError> {
        let handler = member.handler;
        let cx = Context { envelope, states: &self.registry.states, attempt, completion: None };
        let timeout = handler.options.timeout.unwrap_or(TIMEOUT);
        let call = Call { cx: &cx, call: handler.call };
        let received = async {
            // The user's code too: a panic must not leave the line of its key behind, which nobody would ever go on with.
            let event = handler.dedupe.map_or(Ok(envelope.id), |identity| identity(envelope).map(|text| EventId::of_identity(&text)))?;
            Ok(self.inbox.receive(&Receipt { consumer: handler.name, event }, &call).await)
        };
        match guarded(timeout, &member.calls, received).await? {
            ReceiveOutcome::Handled => {
                intake.meter.received();
                Ok("handled")
            }
            ReceiveOutcome::Duplicate => {
                intake.meter.duplicate();
                tracing::debug!(handler = handler.name, id = %envelope.id, "an event was received again; it has had its effect");
                Ok("duplicate")
            }
            ReceiveOutcome::Failed(error) => Err(error),
            ReceiveOutcome::Unknown => Err("the connection was lost during COMMIT; the inbox will tell".into()),
        }
    }
}

/// What becomes of an event that no handler of the group takes in this version.
fn unfit(envelope: &Envelope, others: &[&Member]) -> Answer {
    match others.iter().map(|member| member.handler.event.version).max() {
        // A subscription may be wider than its handlers.
        None => Answer::Ack,
        Some(known) if envelope.version > known => Answer::Nack(
            format!("it has version {}, and this process knows {known} at most; it waits for a newer process", envelope.version).into(),
        ),
        Some(_) => Answer::Bury(
            format!(
                "no handler takes version {} of topic `{}` any more; keep its type, and name it with `upcasts = ..` on the next version",
                envelope.version, envelope.topic
            )
            .into(),
        ),
    }
}

/// A handler's call, ready for the store to run it inside a unit of work; whether it takes that or not.
struct Call<'a> {
    cx: &'a Context<'a>,
    call: HandlerCall,
}

impl InUnitOfWork for Call<'_> {
    fn call<'a>(&'a self, unit: &'a mut (dyn Any + Send + 'static)) -> BoxFuture<'a, Result<(), DeliveryError>> {
        match self.call {
            HandlerCall::Plain(call) => call(self.cx),
            HandlerCall::InUnitOfWork { call, .. } => call(self.cx, unit),
        }
    }
}
