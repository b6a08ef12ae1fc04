//! What no subscriber can deal with, kept with the reason.

use super::message::Message;
use super::producer::Letter;
use super::refusal::is_fatal;
use super::transport::Shared;
use crate::receiving::{Poison, one_line};
use events_core::BoxError;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::{Header, OwnedHeaders};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;

/// How much later than it should the library may give up a message.
const TICKS: Duration = Duration::from_secs(5);

/// Stores a copy in the group's topic for dead letters.
pub(super) async fn store(shared: &Arc<Shared>, topic: &str, message: &Message, poison: &Poison) -> Result<(), BoxError> {
    shared.prepare(topic).await.map_err(|failure| failure.text().to_owned())?;
    let stored = match send(shared, topic, message, explained(message, poison)).await {
        // The reason is in the log; the event matters more.
        Err(Code::MessageSizeTooLarge) => send(shared, topic, message, plain(message)).await,
        // It was deleted since we saw it.
        Err(Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicOrPartition) => {
            shared.forget(topic);
            shared.prepare(topic).await.map_err(|failure| failure.text().to_owned())?;
            send(shared, topic, message, explained(message, poison)).await
        }
        other => other,
    };
    stored.map_err(|code| shared.producer().ears().away(&code.to_string()).text().into())
}

async fn send(shared: &Shared, topic: &str, message: &Message, headers: OwnedHeaders) -> Result<(), Code> {
    let (reporter, mut reports) = unbounded_channel();
    let producer = shared.producer();
    let letter = Letter { topic, key: message.key.as_deref(), payload: message.payload.as_deref(), headers };
    producer.send(0, letter, &reporter)?;
    let sent = match tokio::time::timeout(shared.settings.ack_timeout + TICKS, reports.recv()).await {
        Ok(Some((_, report))) => report,
        _ => Err(Code::MessageTimedOut),
    };
    if sent.is_err_and(|code| code == Code::MessageTimedOut || is_fatal(code)) {
        shared.replace(&producer);
    }
    sent
}

/// Its own headers.
fn plain(message: &Message) -> OwnedHeaders {
    let own = message.headers.iter().flatten();
    own.fold(OwnedHeaders::new(), |headers, (name, value)| headers.insert(Header { key: name, value: value.as_deref() }))
}

fn explained(message: &Message, poison: &Poison) -> OwnedHeaders {
    let place = &message.place;
    let said = [
        ("Events-Dead-Reason", poison.line()),
        ("Events-Dead-Deliveries", poison.deliveries.to_string()),
        ("Events-Dead-Topic", one_line(&place.topic)),
        ("Events-Dead-Partition", place.partition.to_string()),
        ("Events-Dead-Offset", place.offset.to_string()),
    ];
    said.iter().fold(plain(message), |headers, (name, value)| headers.insert(Header { key: name, value: Some(value.as_bytes()) }))
}
