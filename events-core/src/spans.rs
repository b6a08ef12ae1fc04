//! The spans of an event's way, with the attributes that OpenTelemetry has for messaging. Payloads, headers and keys are in none of them.
//!
//! What runs the user's code is `info`, so that its logs say on whose behalf they were written; the rest is `debug`.

use crate::dispatcher::Verdict;
use crate::targets::Target;
use crate::{Delivery, DeliveryError, DeliveryErrorKind, Envelope, EventId, Outcome, trace_context};
use tracing::{Span, debug_span, field::Empty, info_span};

/// What is said to be the messaging system.
const SYSTEM: &str = "outbox";

/// An event is put into a unit of work; its id is not known yet.
pub(crate) fn publish(topic: &str) -> Span {
    debug_span!(
        "outbox.publish",
        otel.kind = "producer",
        messaging.system = SYSTEM,
        messaging.operation.name = "publish",
        messaging.operation.type = "create",
        messaging.destination.name = topic,
        messaging.message.id = Empty,
        outbox.has_key = Empty,
    )
}

pub(crate) fn published(span: &Span, id: EventId, has_key: bool) {
    if !span.is_disabled() {
        span.record("messaging.message.id", tracing::field::display(id)).record("outbox.has_key", has_key);
    }
}

/// A delivery goes to its handler. The span continues the trace of the publisher.
pub(crate) fn deliver(target: &Target, delivery: &Delivery) -> Span {
    let envelope = &*delivery.envelope;
    let span = info_span!(
        "outbox.deliver",
        otel.kind = "consumer",
        messaging.system = SYSTEM,
        messaging.operation.name = "deliver",
        messaging.operation.type = "process",
        messaging.destination.name = &*envelope.topic,
        messaging.message.id = %envelope.id,
        outbox.target = &*target.name,
        outbox.attempt = delivery.failed + 1,
        outbox.has_key = envelope.key.is_some(),
        outbox.outcome = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    );
    trace_context::continue_from(&span, &envelope.headers);
    span
}

/// A batch goes to its transport. The span continues the trace of the publisher, or is linked to those of all publishers if they are several.
pub(crate) fn deliver_batch(target: &Target, batch: &[&Delivery]) -> Span {
    let span = info_span!(
        "outbox.deliver",
        otel.kind = "producer",
        messaging.system = SYSTEM,
        messaging.operation.name = "deliver",
        messaging.operation.type = "send",
        messaging.batch.message_count = batch.len(),
        messaging.destination.name = Empty,
        messaging.message.id = Empty,
        outbox.target = &*target.name,
        outbox.attempt = Empty,
        outbox.has_key = Empty,
        outbox.failed = Empty,
        outbox.outcome = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    if let [delivery] = batch {
        let envelope = &*delivery.envelope;
        span.record("messaging.destination.name", &*envelope.topic)
            .record("messaging.message.id", tracing::field::display(envelope.id))
            .record("outbox.attempt", delivery.failed + 1)
            .record("outbox.has_key", envelope.key.is_some());
    }
    trace_context::continue_all(&span, batch.iter().map(|delivery| &delivery.envelope.headers));
    span
}

/// Says in the span of one delivery what became of it.
pub(crate) fn ended(span: &Span, verdict: &Verdict) {
    if span.is_disabled() {
        return;
    }
    let (outcome, error) = describe(verdict);
    span.record("outbox.outcome", outcome);
    if let Some(error) = error {
        span.record("otel.status_code", "ERROR").record("otel.status_description", error);
    }
}

/// As [`ended`], for a batch.
pub(crate) fn batch_ended(span: &Span, verdicts: &[Verdict]) {
    if span.is_disabled() {
        return;
    }
    if let [verdict] = verdicts {
        return ended(span, verdict);
    }
    let failures: Vec<&str> = verdicts.iter().filter_map(|verdict| describe(verdict).1).collect();
    span.record("outbox.failed", failures.len());
    if let Some(first) = failures.first() {
        span.record("otel.status_code", "ERROR").record("otel.status_description", first);
    }
}

fn describe(verdict: &Verdict) -> (&'static str, Option<&str>) {
    match verdict {
        Verdict::Settle(Outcome::Delivered) | Verdict::Settled { .. } => ("delivered", None),
        Verdict::Settle(Outcome::Retry { failures, .. }) => ("retry", failures.last().map(|failure| &*failure.error)),
        Verdict::Settle(Outcome::Dead { failures, .. }) => ("dead", failures.last().map(|failure| &*failure.error)),
        Verdict::Settle(Outcome::HandBack { .. }) => ("handed_back", None),
        Verdict::Unavailable(error) => ("unavailable", Some(error)),
        Verdict::LeaseLost => ("lease_lost", Some("the lease was lost")),
        Verdict::Unknown => ("unknown", Some("the connection was lost during COMMIT")),
    }
}

/// A batch of settlements is written.
pub(crate) fn settle(deliveries: usize) -> Span {
    debug_span!(
        "outbox.settle",
        messaging.system = SYSTEM,
        messaging.operation.name = "settle",
        messaging.operation.type = "settle",
        messaging.batch.message_count = deliveries,
    )
}

/// An event from a broker goes to a handler. The span continues the trace of its publisher, wherever that was.
pub(crate) fn receive(group: &str, handler: &str, envelope: &Envelope, attempt: u32) -> Span {
    let span = info_span!(
        "outbox.receive",
        otel.kind = "consumer",
        messaging.system = SYSTEM,
        messaging.operation.name = "receive",
        messaging.operation.type = "process",
        messaging.consumer.group.name = group,
        messaging.destination.name = &*envelope.topic,
        messaging.message.id = %envelope.id,
        outbox.target = handler,
        outbox.attempt = attempt,
        outbox.has_key = envelope.key.is_some(),
        outbox.outcome = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    );
    trace_context::continue_from(&span, &envelope.headers);
    span
}

/// Says in the span of a reception how it ended.
pub(crate) fn received(span: &Span, result: &Result<&'static str, DeliveryError>) {
    if span.is_disabled() {
        return;
    }
    match result {
        Ok(outcome) => span.record("outbox.outcome", outcome),
        Err(error) => span
            .record(
                "outbox.outcome",
                match error.kind() {
                    DeliveryErrorKind::Retryable(_) | DeliveryErrorKind::Unavailable => "retry",
                    DeliveryErrorKind::Terminal | DeliveryErrorKind::Undecodable => "dead",
                },
            )
            .record("otel.status_code", "ERROR")
            .record("otel.status_description", error.report()),
    };
}
