//! Runs the handlers of the phases that happen in memory: before commit, after rollback, after completion.

use crate::handler::{HandlerCall, HandlerDescriptor};
use crate::supervise::panic_message;
use crate::{Collected, Collector, Completion, Context, DeliveryError, Envelope, Error, Phase, Registry};
use futures_util::FutureExt;
use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

/// How many rounds of events that cause events `#[before_commit]` handlers may take.
const MAX_ROUNDS: usize = 32;

impl Registry {
    /// Runs the `#[before_commit]` handlers of everything in `collector`, and of what those handlers publish.
    ///
    /// # Errors
    /// The first error of a handler; the unit of work must be rolled back.
    pub async fn before_commit(&self, collector: &Collector, unit: &mut (dyn Any + Send + 'static)) -> Result<(), Error> {
        let (mut next, mut rounds) = (0, 0);
        while next < collector.mark() {
            let end = collector.mark();
            rounds += 1;
            while next < end {
                // A savepoint cannot shrink the list here: none is open at commit.
                let Some(envelope) = collector.get(next) else { break };
                if rounds > MAX_ROUNDS {
                    return Err(Error::BeforeCommitCycle { topic: envelope.topic.to_string(), rounds: MAX_ROUNDS });
                }
                self.before_commit_of(&envelope, unit).await?;
                next += 1;
            }
        }
        Ok(())
    }

    async fn before_commit_of(&self, envelope: &Envelope, unit: &mut (dyn Any + Send + 'static)) -> Result<(), Error> {
        for handler in self.in_memory_handlers(envelope, Phase::BeforeCommit) {
            let cx = Context { envelope, states: &self.states, attempt: 1, completion: None };
            let outcome = match handler.call {
                HandlerCall::Plain(call) => call(&cx).await,
                HandlerCall::InUnitOfWork { call, .. } => call(&cx, unit).await,
            };
            outcome.map_err(|error| Error::BeforeCommit {
                handler: handler.name,
                topic: envelope.topic.to_string(),
                source: error.into_source(),
            })?;
        }
        Ok(())
    }

    /// Runs the `#[after_rollback]` and `#[after_completion]` handlers of `events` in the background, best effort.
    ///
    /// Without a runtime (a unit of work dropped while the process ends) they are not run.
    pub fn completed(self: &Arc<Self>, events: Vec<Collected>, completion: Completion) {
        let concerns = move |phase| match phase {
            Phase::AfterRollback => completion == Completion::RolledBack,
            Phase::AfterCompletion => true,
            _ => false,
        };
        let anyone =
            events.iter().filter_map(|event| self.in_memory.get(&*event.envelope.topic)).flatten().any(|handler| concerns(handler.phase));
        let (true, Ok(runtime)) = (anyone, tokio::runtime::Handle::try_current()) else { return };
        let registry = Arc::clone(self);
        runtime.spawn(async move {
            for event in &events {
                for phase in [Phase::AfterRollback, Phase::AfterCompletion].into_iter().filter(|phase| concerns(*phase)) {
                    for handler in registry.in_memory_handlers(&event.envelope, phase) {
                        registry.call_best_effort(handler, &event.envelope, completion).await;
                    }
                }
            }
        });
    }

    async fn call_best_effort(&self, handler: &HandlerDescriptor, envelope: &Envelope, completion: Completion) {
        let cx = Context { envelope, states: &self.states, attempt: 1, completion: Some(completion) };
        let outcome = match handler.call {
            HandlerCall::Plain(call) => AssertUnwindSafe(async { call(&cx).await })
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| Err(DeliveryError::terminal(format!("the handler panicked: {}", panic_message(&*panic))))),
            HandlerCall::InUnitOfWork { .. } => Err(DeliveryError::terminal("the unit of work is over")),
        };
        if let Err(error) = outcome {
            tracing::warn!(handler = handler.name, topic = %envelope.topic, id = %envelope.id, %error, "a best-effort handler failed");
        }
    }

    fn in_memory_handlers(&self, envelope: &Envelope, phase: Phase) -> impl Iterator<Item = &'static HandlerDescriptor> {
        let (topic, version) = (envelope.topic.clone(), envelope.version);
        self.in_memory
            .get(&*envelope.topic)
            .into_iter()
            .flatten()
            .copied()
            .filter(move |handler| handler.phase == phase && handler.event.reads(&topic, version))
    }
}
