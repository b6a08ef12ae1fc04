//! Collects what a process has, and checks that it fits together.

use crate::envelope::MAX_TARGETS;
use crate::event::EventDescriptor;
use crate::extract::{Requirements, States};
use crate::handler::{HandlerCall, HandlerDescriptor, UnitOfWorkType};
use crate::intake::Subscribed;
use crate::registry::{Registry, Route};
use crate::targets::{Target, is_of};
use crate::{BuildError, DomainEvent, HandlerFn, Phase, RetryPolicy, Subscription, Transport, TwoPhaseTransport, UnitOfWorkArg};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Collects handlers, transports and state, and checks that they fit together.
#[must_use]
pub struct RegistryBuilder {
    states: States,
    pub(crate) transports: Vec<Arc<dyn Transport>>,
    pub(crate) two_phase: Vec<Arc<dyn TwoPhaseTransport>>,
    subscriptions: Vec<(String, Box<dyn Subscription>)>,
    given_handlers: Vec<&'static HandlerDescriptor>,
    given_events: Vec<EventDescriptor>,
    linked: bool,
    allow_unrouted: bool,
    publish_only: bool,
    receive_only: bool,
    pub(crate) retry: RetryPolicy,
    unit: Option<UnitOfWorkType>,
}

impl RegistryBuilder {
    pub(crate) fn new() -> Self {
        Self {
            states: States::default(),
            transports: Vec::new(),
            two_phase: Vec::new(),
            subscriptions: Vec::new(),
            given_handlers: Vec::new(),
            given_events: Vec::new(),
            linked: true,
            allow_unrouted: false,
            publish_only: false,
            receive_only: false,
            retry: RetryPolicy::default(),
            unit: None,
        }
    }

    /// Gives shared state to handlers that take `State<T>`.
    pub fn state<T: Clone + Send + Sync + 'static>(&mut self, state: T) -> &mut Self {
        self.states.insert(state);
        self
    }

    /// Adds a transport.
    pub fn transport(&mut self, transport: impl Transport) -> &mut Self {
        self.transports.push(Arc::new(transport));
        self
    }

    /// Adds a two-phase transport, which takes the place of the outbox for its events.
    pub fn two_phase(&mut self, transport: impl TwoPhaseTransport) -> &mut Self {
        self.two_phase.push(Arc::new(transport));
        self
    }

    /// Adds a subscription, whose events go to the `#[subscribe]` handlers of that group.
    pub fn subscribe(&mut self, group: impl Into<String>, subscription: impl Subscription + 'static) -> &mut Self {
        self.subscriptions.push((group.into(), Box::new(subscription)));
        self
    }

    /// Adds a handler that is marked `manual`.
    pub fn handler<H: HandlerFn>(&mut self) -> &mut Self {
        self.given_handlers.push(const { &H::DESCRIPTOR });
        self
    }

    /// Declares an event type whose `DomainEvent` was written by hand.
    pub fn event<E: DomainEvent>(&mut self) -> &mut Self {
        self.given_events.push(EventDescriptor::of::<E>());
        self
    }

    /// Takes only the handlers given with [`handler`](Self::handler); those linked into the program are left out.
    pub fn without_linked_handlers(&mut self) -> &mut Self {
        self.linked = false;
        self
    }

    /// Accepts events that no handler and no transport takes.
    pub fn allow_unrouted(&mut self) -> &mut Self {
        self.allow_unrouted = true;
        self
    }

    /// This process never calls its `#[after_commit]` handlers, so the state they need may be missing.
    pub fn publish_only(&mut self) -> &mut Self {
        self.publish_only = true;
        self
    }

    /// Takes only `#[subscribe]` handlers: nothing is published in this process.
    pub(crate) fn receive_only(&mut self) -> &mut Self {
        self.receive_only = true;
        self.allow_unrouted()
    }

    /// The retry policy of every target that does not have its own.
    pub fn retry(&mut self, policy: RetryPolicy) -> &mut Self {
        self.retry = policy;
        self
    }

    /// Names the unit of work that handlers may take by `&mut`.
    pub fn unit_of_work<U: UnitOfWorkArg>(&mut self) -> &mut Self {
        self.unit = Some(UnitOfWorkType::of::<U>());
        self
    }

    /// Checks everything and puts it together.
    ///
    /// # Errors
    /// Everything that is wrong, in one [`BuildError`].
    pub fn build(mut self) -> Result<Registry, BuildError> {
        let mut problems = Vec::new();
        let handlers = self.handlers(&mut problems);
        let events = self.events(&mut problems);
        for handler in &handlers {
            self.check_handler(handler, &events, &mut problems);
            problems.extend(missing_version(handler, &handlers));
        }
        if let Err(problem) = self.retry.check() {
            problems.push(problem);
        }
        let subscribed = self.subscribed(&handlers, &mut problems);
        let targets = self.targets(&handlers, &mut problems);
        let names = targets.iter().flat_map(Target::names);
        problems.extend(names.filter_map(|name| BuildError::check_name("the name of a target", name).err()));
        let mut routes: HashMap<&'static str, Vec<Route>> = HashMap::new();
        for event in events.values() {
            let (indices, two_phase) = self.targets_of(event, &targets, &mut problems);
            if indices.len() > usize::from(MAX_TARGETS) {
                let value = format!("{} for `{}`", indices.len(), (event.type_name)());
                problems.push(BuildError::InvalidOption {
                    option: "the number of targets",
                    value,
                    rule: "an event may have 1,024 at most",
                });
            }
            let of_event = || handlers.iter().filter(|handler| is_of(handler, event));
            let is_heard = of_event().any(|handler| handler.phase != Phase::Subscribe);
            let reaches_nobody = indices.is_empty() && two_phase.is_none() && !is_heard && self.must_be_routed(event);
            if reaches_nobody && of_event().next().is_none() {
                let why = if event.local { "it is `local`" } else { "no transport is installed" };
                problems.push(BuildError::Unrouted { event: (event.type_name)(), topic: event.topic, why });
            }
            routes.entry(event.topic).or_default().push(Route {
                version: event.version,
                targets: indices,
                two_phase,
                only_received: reaches_nobody,
            });
        }
        if problems.len() > 1 {
            return Err(BuildError::Several(problems));
        }
        if let Some(problem) = problems.pop() {
            return Err(problem);
        }
        let is_called = |handler: &&&HandlerDescriptor| !self.publish_only && handler.may_surprise();
        let repeatable = handlers.iter().filter(is_called).map(|handler| handler.name).collect();
        let mut in_memory: HashMap<_, Vec<_>> = HashMap::new();
        let runs_in_memory = |handler: &&HandlerDescriptor| !matches!(handler.phase, Phase::AfterCommit | Phase::Subscribe);
        for handler in handlers.into_iter().filter(runs_in_memory) {
            in_memory.entry(handler.event.topic).or_default().push(handler);
        }
        let names = targets.iter().map(|target| Arc::clone(&target.name)).collect();
        let two_phase = self.two_phase;
        Ok(Registry { states: self.states, targets, names, routes, two_phase, in_memory, subscribed, repeatable })
    }

    /// All handlers, sorted by name so that the result does not depend on the linker.
    fn handlers(&self, problems: &mut Vec<BuildError>) -> Vec<&'static HandlerDescriptor> {
        let linked = inventory::iter::<&'static HandlerDescriptor>.into_iter().copied().filter(|_| self.linked);
        let mut handlers: Vec<_> = linked.chain(self.given_handlers.iter().copied()).collect();
        handlers.retain(|handler| !self.receive_only || handler.phase == Phase::Subscribe);
        handlers.sort_by_key(|handler| handler.name);
        let mut names: Vec<&'static str> =
            handlers.iter().flat_map(|handler| std::iter::once(handler.name).chain(handler.renamed_from.iter().copied())).collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            problems.push(BuildError::DuplicateHandler { name: pair[0] });
        }
        handlers
    }

    /// All events by topic and version.
    fn events(&self, problems: &mut Vec<BuildError>) -> BTreeMap<(&'static str, u16), EventDescriptor> {
        let mut events: BTreeMap<(&'static str, u16), EventDescriptor> = BTreeMap::new();
        let linked = inventory::iter::<EventDescriptor>.into_iter().copied();
        for event in linked.chain(self.given_events.iter().copied()) {
            match events.insert((event.topic, event.version), event) {
                Some(first) if (first.type_name)() != (event.type_name)() => {
                    problems.push(BuildError::DuplicateEvent {
                        topic: event.topic,
                        version: event.version,
                        first: (first.type_name)(),
                        second: (event.type_name)(),
                    });
                }
                _ => {}
            }
        }
        events
    }

    fn check_handler(
        &self,
        handler: &'static HandlerDescriptor,
        events: &BTreeMap<(&'static str, u16), EventDescriptor>,
        problems: &mut Vec<BuildError>,
    ) {
        let mut requirements = Requirements::default();
        (handler.require)(&mut requirements);
        for (id, ty) in requirements.states {
            let is_called = !self.publish_only || !matches!(handler.phase, Phase::AfterCommit | Phase::Subscribe);
            if is_called && !self.states.has(id) {
                problems.push(BuildError::MissingState { handler: handler.name, ty });
            }
        }
        if requirements.completion && handler.phase != Phase::AfterCompletion {
            problems.push(BuildError::NoCompletion { handler: handler.name });
        }
        if !events.values().any(|event| (event.type_name)() == (handler.event.type_name)()) {
            problems.push(BuildError::UndeclaredEvent {
                handler: handler.name,
                event: (handler.event.type_name)(),
                topic: handler.event.topic,
            });
        }
        if let HandlerCall::InUnitOfWork { unit, .. } = handler.call
            && self.unit.is_none_or(|has| has.id() != unit.id())
        {
            let has = self.unit.map_or("no unit of work", UnitOfWorkType::name);
            problems.push(BuildError::WrongUnitOfWork { handler: handler.name, wants: unit.name(), has });
        }
    }

    /// Each subscription with the handlers of its group.
    fn subscribed(&mut self, handlers: &[&'static HandlerDescriptor], problems: &mut Vec<BuildError>) -> Vec<Subscribed> {
        let subscriptions = std::mem::take(&mut self.subscriptions);
        for handler in handlers.iter().filter(|_| !self.publish_only) {
            if let Some(group) = handler.group
                && !subscriptions.iter().any(|(known, _)| known == group)
            {
                problems.push(BuildError::NoSubscription { handler: handler.name, group });
            }
        }
        let mut subscribed = Vec::new();
        for (group, subscription) in subscriptions {
            let of_group: Vec<_> = handlers.iter().filter(|handler| handler.group == Some(&group)).copied().collect();
            match of_group.first().and_then(|handler| handler.group) {
                Some(group) => subscribed.push(Subscribed::new(group, of_group, subscription)),
                None => problems.push(BuildError::NoSubscriber { group }),
            }
        }
        subscribed
    }

    /// Without the linked handlers, only the events that were given can be expected to have targets.
    fn must_be_routed(&self, event: &EventDescriptor) -> bool {
        let given = || self.given_events.iter().any(|given| (given.type_name)() == (event.type_name)());
        !self.allow_unrouted && (self.linked || given())
    }
}

/// A version of its event that existed before those the handler reads, if no other handler reads it in its place.
fn missing_version(handler: &HandlerDescriptor, handlers: &[&'static HandlerDescriptor]) -> Option<BuildError> {
    let EventDescriptor { topic, oldest, since, type_name, .. } = handler.event;
    let is_delivered = matches!(handler.phase, Phase::AfterCommit | Phase::Subscribe);
    if !is_delivered || oldest <= since {
        return None;
    }
    let missing = oldest - 1;
    let in_its_place =
        |other: &&HandlerDescriptor| (other.phase, other.group) == (handler.phase, handler.group) && other.event.reads(topic, missing);
    let nobody = !handlers.iter().any(in_its_place);
    nobody.then(|| BuildError::MissingVersion { handler: handler.name, event: type_name(), topic, oldest, missing })
}
