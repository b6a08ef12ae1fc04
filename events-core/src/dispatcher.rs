//! Takes a delivery to its target: one handler call, or one batch to a transport. Bounds its time and survives its panics.

use crate::handler::{HandlerCall, HandlerDescriptor, UnitCall};
use crate::instrument::Stopwatch;
use crate::lane::Lane;
use crate::meter::CallMeter;
use crate::supervise::panic_message;
use crate::targets::Target;
use crate::{
    BoxFuture, Context, Delivery, DeliveryError, DeliveryErrorKind, Envelope, InUnitOfWork, OutboxStore, Outcome, Registry,
    TransactOutcome, Transport, spans, store::DeadReason,
};
use futures_util::FutureExt;
use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tracing::Instrument;

/// How long a delivery waits for a newer process if this one is too old for its version.
const VERSION_SKEW_DELAY: Duration = Duration::from_secs(30);

/// What became of one delivery, before it is settled.
pub(crate) enum Verdict {
    /// To be settled.
    Settle(Outcome),
    /// To be given back, and the target to be paused.
    Unavailable(String),
    /// Settled already, in the handler's own unit of work.
    Settled { freed: u64 },
    /// Another process has it now.
    LeaseLost,
    /// Nobody knows; the lease decides.
    Unknown,
}

/// One handler call, in a span of its own.
pub(crate) async fn call_handler(
    registry: &Registry,
    store: &dyn OutboxStore,
    lane: &Lane,
    handler: &'static HandlerDescriptor,
    delivery: &Delivery,
) -> Verdict {
    let span = spans::deliver(&lane.target, delivery);
    let verdict = call_in_span(registry, store, lane, handler, delivery).instrument(span.clone()).await;
    spans::ended(&span, &verdict);
    verdict
}

async fn call_in_span(
    registry: &Registry,
    store: &dyn OutboxStore,
    lane: &Lane,
    handler: &'static HandlerDescriptor,
    delivery: &Delivery,
) -> Verdict {
    let (target, meter) = (&lane.target, &lane.meter.calls);
    let envelope = &*delivery.envelope;
    if is_too_new(handler, envelope) {
        tracing::info!(
            handler = handler.name, topic = %envelope.topic, version = envelope.version, known = handler.event.version,
            "an event is newer than its handler in this process; it waits for a newer process"
        );
        return Verdict::Settle(Outcome::HandBack { delay: VERSION_SKEW_DELAY });
    }
    let cx = Context { envelope, states: &registry.states, attempt: delivery.failed + 1, completion: None };
    let result = match handler.call {
        HandlerCall::Plain(call) => guarded(target.timeout, meter, async { call(&cx).await }).await,
        HandlerCall::InUnitOfWork { call, .. } => {
            let work = Transactional { cx: &cx, call };
            let outcome = guarded(target.timeout, meter, async { Ok(store.transact(delivery, &work).await) }).await;
            match outcome {
                Ok(TransactOutcome::Settled { freed }) => return Verdict::Settled { freed },
                Ok(TransactOutcome::LeaseLost) => return Verdict::LeaseLost,
                Ok(TransactOutcome::Unknown) => return Verdict::Unknown,
                Ok(TransactOutcome::Failed(error)) | Err(error) => Err(error),
            }
        }
    };
    verdict(result, delivery, target)
}

/// Whether the event is of a version that only a newer process reads.
pub(crate) fn is_too_new(handler: &HandlerDescriptor, envelope: &Envelope) -> bool {
    envelope.version > handler.event.version
}

/// A handler's call, ready for the store to run it inside a unit of work.
struct Transactional<'a> {
    cx: &'a Context<'a>,
    call: UnitCall,
}

impl InUnitOfWork for Transactional<'_> {
    fn call<'a>(&'a self, unit: &'a mut (dyn Any + Send + 'static)) -> BoxFuture<'a, Result<(), DeliveryError>> {
        (self.call)(self.cx, unit)
    }
}

/// One batch to a transport, in a span of its own; one verdict per delivery, in order.
pub(crate) async fn send_batch(lane: &Lane, transport: &dyn Transport, batch: &[&Delivery]) -> Vec<Verdict> {
    let target = &lane.target;
    let span = spans::deliver_batch(target, batch);
    let envelopes: Vec<_> = batch.iter().map(|delivery| Arc::clone(&delivery.envelope)).collect();
    let sending = guarded(target.timeout, &lane.meter.calls, async { Ok(transport.send(&envelopes).await) });
    let results = match sending.instrument(span.clone()).await {
        Ok(results) if results.len() == batch.len() => results,
        Ok(results) => {
            let report = format!(
                "transport `{}` answered {} results for {} events; it must answer one each",
                transport.name(),
                results.len(),
                batch.len()
            );
            batch.iter().map(|_| Err(DeliveryError::from(report.clone()))).collect()
        }
        Err(error) => {
            let report = error.report();
            batch.iter().map(|_| Err(DeliveryError::from(report.clone()))).collect()
        }
    };
    let verdicts: Vec<_> = results.into_iter().zip(batch).map(|(result, delivery)| verdict(result, delivery, target)).collect();
    spans::batch_ended(&span, &verdicts);
    verdicts
}

/// Runs a target's code: at most so long, and a panic becomes an error. Its time is measured.
pub(crate) async fn guarded<T>(
    limit: Duration,
    meter: &CallMeter,
    work: impl Future<Output = Result<T, DeliveryError>>,
) -> Result<T, DeliveryError> {
    let watch = Stopwatch::start();
    let outcome = tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await;
    meter.took(watch);
    match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            meter.panicked();
            Err(format!("it panicked: {}", panic_message(&*panic)).into())
        }
        Err(_) => Err(format!("it did not finish within {limit:?}; raise `timeout` if that is too short").into()),
    }
}

/// What follows from a target's answer: settle, retry, bury or pause.
fn verdict(result: Result<(), DeliveryError>, delivery: &Delivery, target: &Target) -> Verdict {
    let Err(error) = result else { return Verdict::Settle(Outcome::Delivered) };
    let report = error.report();
    let bury = |reason, report: String| Outcome::Dead {
        reason,
        failures: delivery.failures_with(report),
        blocks_key: target.blocks(delivery.envelope.key.as_deref()),
    };
    Verdict::Settle(match error.kind() {
        DeliveryErrorKind::Unavailable => return Verdict::Unavailable(report),
        DeliveryErrorKind::Terminal => bury(DeadReason::Terminal, report),
        DeliveryErrorKind::Undecodable => bury(DeadReason::Undecodable, report),
        DeliveryErrorKind::Retryable(not_before) => match target.retry.delay_after(delivery.failed + 1) {
            Some(delay) => Outcome::Retry { delay: delay.max(not_before.unwrap_or_default()), failures: delivery.failures_with(report) },
            None => bury(DeadReason::Exhausted, report),
        },
    })
}
