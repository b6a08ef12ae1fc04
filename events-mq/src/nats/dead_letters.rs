//! What no subscriber can deal with, kept with the reason.

use super::{NAME, consumer::Plan, transport::Shared};
use crate::receiving::{Poison, one_line};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{AckKind, Message, message::PublishMessage};
use async_nats::{HeaderMap, HeaderValue, header};
use events_core::BoxError;
use std::time::Duration;

/// When a message that could not become a dead letter comes again.
const AGAIN: Duration = Duration::from_secs(10);

/// Stores a copy under the consumer's subject for dead letters, then tells the server not to deliver the message again.
///
/// If the copy cannot be stored, the message comes again: nothing is given up silently.
pub(super) async fn bury(shared: &Shared, plan: &Plan, message: &Message, poison: &Poison) -> Result<(), BoxError> {
    let consumer = &plan.consumer;
    let subject = shared.settings.subjects.dead_letters_of(consumer);
    match store(shared, plan, &subject, message, poison).await {
        Ok(()) => {
            tracing::warn!(consumer, from = %message.subject, to = subject, reason = poison.reason, "an event became a dead letter");
            message.ack_with(AckKind::Term).await
        }
        Err(error) => {
            tracing::error!(
                consumer, from = %message.subject, to = subject, reason = poison.reason, %error,
                "a dead letter cannot be stored; the event comes again. Stream `{}` must store that subject", shared.settings.stream
            );
            // If this fails too, `ack_wait` brings it back.
            let _ = message.ack_with(AckKind::Nak(Some(AGAIN))).await;
            Err(format!("{NAME} cannot store a dead letter under `{subject}`: {error}").into())
        }
    }
}

async fn store(shared: &Shared, plan: &Plan, subject: &str, message: &Message, poison: &Poison) -> Result<(), BoxError> {
    shared.link.check().map_err(|failure| failure.text().to_owned())?;
    let plain = headers(shared, plan, message)?;
    let mut explained = plain.clone();
    explained.insert("Events-Dead-Reason", poison.line());
    explained.insert("Events-Dead-Deliveries", HeaderValue::from(u64::from(poison.deliveries)));
    explained.insert("Events-Dead-Subject", one_line(&message.subject));
    match publish(shared, subject, message, explained).await {
        // The reason is in the log; the event matters more.
        Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => publish(shared, subject, message, plain).await?,
        other => other?,
    }
    Ok(())
}

async fn publish(shared: &Shared, subject: &str, message: &Message, headers: HeaderMap) -> Result<(), PublishError> {
    let letter = PublishMessage::build().headers(headers).payload(message.payload.clone());
    shared.link.jetstream().send_publish(subject.to_owned(), letter).await?.await.map(drop)
}

/// Its own headers; instead of those that mean something to the server, an id of its own, so that a second attempt is no second letter.
fn headers(shared: &Shared, plan: &Plan, message: &Message) -> Result<HeaderMap, BoxError> {
    let mut headers: HeaderMap = HeaderMap::new();
    for (name, values) in message.headers.iter().flat_map(HeaderMap::iter) {
        let to_server: &str = name.as_ref();
        if to_server.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("Nats-")) {
            continue;
        }
        for value in values {
            headers.append(name.clone(), value.clone());
        }
    }
    let info = message.info()?;
    let stream = &shared.settings.stream;
    headers.insert(header::NATS_MESSAGE_ID, format!("{stream}.{}.dead.{}", info.stream_sequence, plan.consumer).as_str());
    headers.insert(header::NATS_EXPECTED_STREAM, stream.as_str());
    Ok(headers)
}
