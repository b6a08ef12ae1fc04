//! Which handlers and transports this process has, and which of them take which event. Checked once, at start-up.

use crate::extract::States;
use crate::handler::HandlerDescriptor;
use crate::intake::Subscribed;
use crate::registry_builder::RegistryBuilder;
use crate::targets::Target;
use crate::{Error, TwoPhaseTransport};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Everything this process can do with events.
pub struct Registry {
    pub(crate) states: States,
    /// The relay takes them out; each becomes a lane.
    pub(crate) targets: Vec<Target>,
    /// The names of the targets, which stay.
    pub(crate) names: Vec<Arc<str>>,
    /// Indices into `targets` by topic and version.
    pub(crate) routes: HashMap<&'static str, Vec<Route>>,
    pub(crate) two_phase: Vec<Arc<dyn TwoPhaseTransport>>,
    /// Handlers of the phases that run in memory, by topic.
    pub(crate) in_memory: HashMap<&'static str, Vec<&'static HandlerDescriptor>>,
    /// The relay takes them out, too.
    pub(crate) subscribed: Vec<Subscribed>,
    /// The handlers that may be called again, and do not say what that means.
    pub(crate) repeatable: Vec<&'static str>,
}

/// Where the events of one topic and version go.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) version: u16,
    pub(crate) targets: Vec<usize>,
    /// The two-phase transport that takes them past the outbox.
    pub(crate) two_phase: Option<usize>,
    /// Whether events come from brokers only: what this process published would reach nobody.
    pub(crate) only_received: bool,
}

impl Registry {
    /// A builder that will take every handler linked into the program.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::new()
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

    /// The handlers of this process that may be called again with the same event, and do not say what that means. For a look at start-up.
    #[must_use]
    pub fn repeatable(&self) -> &[&'static str] {
        &self.repeatable
    }
}
