//! Handlers and transports as targets of deliveries, each with its limits.

use crate::event::EventDescriptor;
use crate::handler::HandlerDescriptor;
use crate::registry_builder::RegistryBuilder;
use crate::{BuildError, Phase, RetryPolicy, Transport, TwoPhaseTransport};
use std::{sync::Arc, time::Duration};

/// What the name of a transport's target begins with.
pub(crate) const TRANSPORT: &str = "transport:";

/// How many calls of a handler run at once, unless it says otherwise.
const CONCURRENCY: usize = 16;
/// How long one handler call or transport batch may take, unless it says otherwise.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

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

impl Target {
    /// Whether a dead letter of this target holds back what waits for `key`.
    pub(crate) fn blocks(&self, key: Option<&str>) -> bool {
        key.is_some() && self.retry.blocks_key()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.name).chain(&self.earlier_names)
    }
}

impl RegistryBuilder {
    pub(crate) fn targets(&self, handlers: &[&'static HandlerDescriptor], problems: &mut Vec<BuildError>) -> Vec<Target> {
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
            let name: Arc<str> = Arc::from(format!("{TRANSPORT}{}", transport.name()));
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
    pub(crate) fn targets_of(
        &self,
        event: &EventDescriptor,
        targets: &[Target],
        problems: &mut Vec<BuildError>,
    ) -> (Vec<usize>, Option<usize>) {
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
}

pub(crate) fn is_of(handler: &HandlerDescriptor, event: &EventDescriptor) -> bool {
    handler.event.reads(event.topic, event.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeliveryError, Envelope, Registry};

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
