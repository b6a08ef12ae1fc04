//! The exchange and the queues: made, or looked at.

use super::{NAME, builder::Settings, publish::is_soft, wire::Wire};
use crate::{Topology, failure::Failure};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind, ExchangeKind};

/// After how many deliveries without an answer the server itself makes a dead letter, whatever a subscriber wants: from RabbitMQ 4 on its
/// own default is 20, and deployments alone may use those up.
const DELIVERY_LIMIT: i32 = 1_000;

/// Makes sure that the exchange is there, and the queues of the declared consumers.
pub(super) async fn prepare(wire: &Wire, settings: &Settings) -> Result<(), Failure> {
    exchange(wire, settings).await?;
    for (consumer, topics) in &settings.queues {
        queues_of(wire, settings, consumer, topics).await?;
    }
    Ok(())
}

/// Makes sure that a consumer has what it needs.
pub(super) async fn prepare_for(wire: &Wire, settings: &Settings, consumer: &str, topics: &str) -> Result<(), Failure> {
    exchange(wire, settings).await?;
    queues_of(wire, settings, consumer, topics).await
}

/// Makes the queue in which events of `consumer` wait for up to so many milliseconds; whether it is there then.
pub(super) async fn make_retry(wire: &Wire, settings: &Settings, consumer: &str, step: u64) -> Result<bool, Failure> {
    if settings.topology == Topology::Check {
        return Ok(false);
    }
    let mut arguments = dead_letters_to(settings, &settings.names.queue(consumer));
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(i64::try_from(step).unwrap_or(i64::MAX)));
    queue(wire, settings, &settings.names.retry(consumer, step), arguments).await.map(|()| true)
}

async fn exchange(wire: &Wire, settings: &Settings) -> Result<(), Failure> {
    let exchange = &settings.names.exchange;
    let declare = async |options: ExchangeDeclareOptions| {
        let channel = wire.open_channel().await?;
        let declared = channel.exchange_declare(exchange.as_str().into(), ExchangeKind::Topic, options, FieldTable::default());
        ask(wire, &channel, declared).await
    };
    let look = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let made = match (declare(look).await?, settings.topology) {
        (Err(error), Topology::Create) if is(&error, &AMQPSoftError::NOTFOUND) => {
            declare(ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() }).await?
        }
        (looked, _) => looked,
    };
    made.map_err(|error| refused(settings, &format!("exchange `{exchange}`"), &error))
}

async fn queues_of(wire: &Wire, settings: &Settings, consumer: &str, topics: &str) -> Result<(), Failure> {
    let (names, name) = (&settings.names, settings.names.queue(consumer));
    queue(wire, settings, &names.dead(consumer), FieldTable::default()).await?;
    // A classic queue makes no dead letters by itself, and its copies would not be safe.
    let mut arguments = FieldTable::default();
    if settings.queue_type == super::QueueType::Quorum {
        arguments = dead_letters_to(settings, &names.dead(consumer));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    }
    queue(wire, settings, &name, arguments).await?;
    if settings.topology == Topology::Check {
        return Ok(());
    }
    let channel = wire.open_channel().await?;
    let bound = channel.queue_bind(
        name.as_str().into(),
        names.exchange.as_str().into(),
        topics.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    let bound = ask(wire, &channel, bound).await?;
    bound.map_err(|error| refused(settings, &format!("the binding of queue `{name}` to `{topics}`"), &error))
}

/// What a queue does with what it gives up: at the earliest when the other queue has stored it, it forgets it.
fn dead_letters_to(settings: &Settings, queue: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut set = |name: &str, value: &str| {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    set("x-dead-letter-exchange", "");
    set("x-dead-letter-routing-key", queue);
    if settings.queue_type == super::QueueType::Quorum {
        set("x-dead-letter-strategy", "at-least-once");
        // Without this the server does not keep to that strategy.
        set("x-overflow", "reject-publish");
    }
    arguments
}

/// Makes sure that a queue is there. What is there keeps its settings.
async fn queue(wire: &Wire, settings: &Settings, name: &str, mut arguments: FieldTable) -> Result<(), Failure> {
    let declare = async |options: QueueDeclareOptions, arguments: FieldTable| {
        let channel = wire.open_channel().await?;
        let declared = channel.queue_declare(name.into(), options, arguments);
        ask(wire, &channel, declared).await
    };
    let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let made = match (declare(look, FieldTable::default()).await?, settings.topology) {
        (Err(error), Topology::Create) if is(&error, &AMQPSoftError::NOTFOUND) => {
            arguments.insert("x-queue-type".into(), AMQPValue::LongString(settings.queue_type.name().into()));
            declare(QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() }, arguments).await?
        }
        (looked, _) => looked,
    };
    match made {
        Ok(_) => Ok(()),
        Err(error) => Err(refused(settings, &format!("queue `{name}`"), &error)),
    }
}

/// Waits for an answer; the inner error is what the server has against it.
pub(super) async fn ask<T>(
    wire: &Wire,
    channel: &Channel,
    request: impl Future<Output = lapin::Result<T>>,
) -> Result<Result<T, AMQPError>, Failure> {
    match tokio::time::timeout(wire.patience(), request).await {
        Ok(Ok(answer)) => Ok(Ok(answer)),
        Ok(Err(error)) => match error.kind() {
            ErrorKind::ProtocolError(error) if is_soft(error) => Ok(Err(error.clone())),
            _ => Err(wire.away(&format!("channel {} ended: {error}", channel.id()))),
        },
        Err(_) => Err(wire.hangs("answer")),
    }
}

pub(super) fn is(error: &AMQPError, kind: &AMQPSoftError) -> bool {
    matches!(error.kind(), AMQPErrorKind::Soft(it) if it == kind)
}

/// Why `what` cannot be used.
pub(super) fn refused(settings: &Settings, what: &str, error: &AMQPError) -> Failure {
    let (address, said) = (&settings.address_text, error.get_message());
    match error.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => {
            Failure::hopeless(format!("{NAME} at {address} has no {what}; make it, or choose `Topology::Create` ({said})"))
        }
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Failure::hopeless(format!(
            "{NAME} at {address} does not let this user use {what}: {said}; grant it (`rabbitmqctl set_permissions`)"
        )),
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Failure::hopeless(format!(
            "{what} of {NAME} at {address} cannot be made as needed: {said}; delete it, or make it by hand and choose `Topology::Check`"
        )),
        _ => Failure::passing(format!("{what} of {NAME} at {address} cannot be used: {said}")),
    }
}
