//! Which handlers and transports this process has, and which of them take which event. Checked once, at start-up.

use crate::envelope::MAX_TARGETS;
use crate::event::EventDescriptor;
use crate::extract::{Requirements, States};
use crate::handler::{HandlerCall, HandlerDescriptor, UnitOfWorkType};
use crate::intake::Intake;
use crate::{BuildError, DomainEvent, Error, HandlerFn, Phase, RetryPolicy, Subscription, Transport, TwoPhaseTransport, UnitOfWorkArg};
use std::collections::{BTreeMap, HashMap};
use std::{sync::Arc, time::Duration};

/// How many calls of a handler run at once, unless it says otherwise.
const CONCURRENCY: usize = 16;
/// How long one handler call or transport batch may take, unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Everything this process can do with events.
pub struct Registry {
    pub(crate) states: States,
    /// The relay takes them out; each becomes a lane.
    pub(crate) targets: Vec<Target>,
    /// The names of the targets, which stay.
    names: Vec<Arc<str>>,
    /// Indices into `targets` by topic and version.
    routes: HashMap<&'static str, Vec<Route>>,
    pub(crate) two_phase: Vec<Arc<dyn TwoPhaseTransport>>,
    /// Handlers of the phases that run in memory, by topic.
    pub(crate) in_memory: HashMap<&'static str, Vec<&'static HandlerDescriptor>>,
    /// The relay takes them out, too.
    pub(crate) intakes: Vec<Arc<Intake>>,
    /// The handlers that may be called again, and do not say what that means.
    repeatable: Vec<&'static str>,
}

/// Where the events of one topic and version go.
#[derive(Debug)]
pub(crate) struct Route {
    version: u16,
    pub(crate) targets: Vec<usize>,
    /// The two-phase transport that takes them past the outbox.
    pub(crate) two_phase: Option<usize>,
    /// Whether events come from brokers only: what this process published would reach nobody.
    only_received: bool,
}

/// A handler or a transport, with its limits.
pub(crate) struct Target {
    pub(crate) name: Arc<str>,
    /// Earlier names, whose waiting deliveries this target takes over.
    pub(crate) earlier_names: Vec<Arc<str>>,
    pub(crate) kind: TargetKind,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) max_batch: usize,
}

pub(crate) enum TargetKind {
    Handler(&'static HandlerDescriptor),
    Transport(Arc<dyn Transport>),
}

impl Registry {
    /// A builder that will take every handler linked into the program.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder {
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

    /// Where events of `topic` and `version` go, as indices into the targets.
    pub(crate) fn route(&self, topic: &str, version: u16) -> Result<&Route, Error> {
        let routes = self.routes.get(topic).and_then(|routes| routes.iter().find(|route| route.version == version));
        match routes {
            Some(Route { only_received: true, .. }) => Err(Error::OnlyReceived { topic: topic.to_owned() }),
            Some(route) => Ok(route),
            None => Err(Error::UndeclaredEvent { topic: topic.to_owned(), version }),
        }
    }

    /// One line per event: its topic and where it goes. For a look at start-up.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let sorted: BTreeMap<_, _> = self.routes.iter().collect();
        let mut lines = Vec::new();
        for (topic, routes) in sorted {
            for route in routes {
                let mut targets: Vec<&str> = route.targets.iter().map(|index| &*self.names[*index]).collect();
                let past_the_outbox = route.two_phase.map(|index| format!("two-phase:{}", self.two_phase[index].name()));
                targets.extend(past_the_outbox.as_deref());
                lines.push(format!(
                    "{topic} v{} -> {}",
                    route.version,
                    if targets.is_empty() { "nobody".into() } else { targets.join(", ") }
                ));
            }
        }
        lines
    }
}

impl Registry {
    /// The handlers of this process that may be called again with the same event, and do not say what that means. For a look at start-up.
    #[must_use]
    pub fn repeatable(&self) -> &[&'static str] {
        &self.repeatable
    }
}

impl Target {
    /// Whether a dead letter of this target holds back what waits for `key`.
    pub(crate) fn blocks(&self, key: Option<&str>) -> bool {
        key.is_some() && self.retry.blocks_key()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.name).chain(&self.earlier_names)
    }
}

/// Collects handlers, transports and state, and checks that they fit together.
#[must_use]
pub struct RegistryBuilder {
    states: States,
    transports: Vec<Arc<dyn Transport>>,
    two_phase: Vec<Arc<dyn TwoPhaseTransport>>,
    subscriptions: Vec<(String, Box<dyn Subscription>)>,
    given_handlers: Vec<&'static HandlerDescriptor>,
    given_events: Vec<EventDescriptor>,
    linked: bool,
    allow_unrouted: bool,
    publish_only: bool,
    receive_only: bool,
    retry: RetryPolicy,
    unit: Option<UnitOfWorkType>,
}

impl RegistryBuilder {
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
        let intakes = self.intakes(&handlers, &mut problems);
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
        Ok(Registry { states: self.states, targets, names, routes, two_phase, in_memory, intakes, repeatable })
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
    fn intakes(&mut self, handlers: &[&'static HandlerDescriptor], problems: &mut Vec<BuildError>) -> Vec<Arc<Intake>> {
        let subscriptions = std::mem::take(&mut self.subscriptions);
        for handler in handlers.iter().filter(|_| !self.publish_only) {
            if let Some(group) = handler.group
                && !subscriptions.iter().any(|(known, _)| known == group)
            {
                problems.push(BuildError::NoSubscription { handler: handler.name, group });
            }
        }
        let mut intakes = Vec::new();
        for (group, subscription) in subscriptions {
            let of_group: Vec<_> = handlers.iter().filter(|handler| handler.group == Some(&group)).copied().collect();
            match of_group.first().and_then(|handler| handler.group) {
                Some(group) => intakes.push(Arc::new(Intake::new(group, of_group, subscription))),
                None => problems.push(BuildError::NoSubscriber { group }),
            }
        }
        intakes
    }

    fn targets(&self, handlers: &[&'static HandlerDescriptor], problems: &mut Vec<BuildError>) -> Vec<Target> {
        let mut targets: Vec<Target> = handlers
            .iter()
            .filter(|handler| handler.phase == Phase::AfterCommit)
            .map(|handler| Target {
                name: Arc::from(handler.name),
                earlier_names: handler.renamed_from.iter().copied().map(Arc::from).collect(),
                kind: TargetKind::Handler(handler),
                retry: handler.options.retry(&self.retry),
                timeout: handler.options.timeout.unwrap_or(TIMEOUT),
                concurrency: handler.options.concurrency.unwrap_or(CONCURRENCY),
                max_batch: 1,
            })
            .collect();
        for transport in &self.transports {
            let name: Arc<str> = Arc::from(format!("transport:{}", transport.name()));
            let is_two_phase = self.two_phase.iter().any(|other| other.name() == transport.name());
            if is_two_phase || targets.iter().any(|target| target.name == name) {
                problems.push(BuildError::DuplicateTransport { name: transport.name().to_owned() });
            }
            let own = transport.retry();
            if let Some(Err(problem)) = own.as_ref().map(RetryPolicy::check) {
                problems.push(problem);
            }
            targets.push(Target {
                name,
                earlier_names: Vec::new(),
                kind: TargetKind::Transport(Arc::clone(transport)),
                retry: own.unwrap_or_else(|| self.retry.clone()),
                timeout: TIMEOUT,
                concurrency: transport.concurrency().max(1),
                max_batch: transport.max_batch().max(1),
            });
        }
        targets
    }

    /// The targets that have rows in the outbox, and the two-phase transport, which has none.
    fn targets_of(&self, event: &EventDescriptor, targets: &[Target], problems: &mut Vec<BuildError>) -> (Vec<usize>, Option<usize>) {
        let mut indices = Vec::new();
        let mut transports = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            match &target.kind {
                TargetKind::Handler(handler) if is_of(handler, event) => indices.push(index),
                TargetKind::Handler(_) => {}
                TargetKind::Transport(transport) => {
                    if !event.local && event.to.is_none_or(|to| to == transport.name()) {
                        transports.push(index);
                    }
                }
            }
        }
        // Unless an event says so, it goes through the outbox where it can.
        let is_chosen = |other: &dyn TwoPhaseTransport| match event.to {
            Some(to) => to == other.name(),
            None => self.transports.is_empty(),
        };
        let two_phase: Vec<usize> = (0..self.two_phase.len()).filter(|index| !event.local && is_chosen(&*self.two_phase[*index])).collect();
        let names = || {
            let past_the_outbox = two_phase.iter().map(|index| self.two_phase[*index].name());
            transports.iter().map(|index| &*targets[*index].name).chain(past_the_outbox).collect::<Vec<_>>().join(", ")
        };
        match (event.to, transports.len() + two_phase.len()) {
            (Some(to), 0) => problems.push(BuildError::UnknownTransport { event: (event.type_name)(), to }),
            (None, 2..) => problems.push(BuildError::AmbiguousTransport { event: (event.type_name)(), transports: names() }),
            _ => {}
        }
        indices.extend(transports);
        (indices, two_phase.first().copied())
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

fn is_of(handler: &HandlerDescriptor, event: &EventDescriptor) -> bool {
    handler.event.reads(event.topic, event.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeliveryError, Envelope};

    struct Courier(Option<RetryPolicy>);

    #[async_trait::async_trait]
    impl Transport for Courier {
        fn name(&self) -> &str {
            "courier"
        }
        fn concurrency(&self) -> usize {
            9
        }
        fn retry(&self) -> Option<RetryPolicy> {
            self.0.clone()
        }
        async fn send(&self, batch: &[Arc<Envelope>]) -> Vec<Result<(), DeliveryError>> {
            batch.iter().map(|_| Ok(())).collect()
        }
    }

    fn with(own: Option<RetryPolicy>) -> Result<Registry, BuildError> {
        let mut builder = Registry::builder();
        builder.without_linked_handlers().retry(RetryPolicy::default().attempts(3)).transport(Courier(own));
        builder.build()
    }

    #[test]
    fn a_transport_may_bring_its_own_policy_and_concurrency() {
        let target = with(Some(RetryPolicy::default().attempts(7))).unwrap().targets.remove(0);
        assert_eq!((target.retry, target.concurrency), (RetryPolicy::default().attempts(7), 9));
        assert_eq!(with(None).unwrap().targets[0].retry, RetryPolicy::default().attempts(3));
    }

    #[test]
    fn a_policy_of_a_transport_is_checked_as_that_of_an_outbox() {
        let said = with(Some(RetryPolicy::default().attempts(0))).err().unwrap().to_string();
        assert!(said.contains("the number of attempts is 0"), "{said}");
    }
}
