//! Copies of messages: to come again after a while, or to be kept as dead letters. Only when the copy is stored, the original may go.

use super::message::{DELIVERIES, Message, ROUTING_KEY, with_header};
use super::publish::{Answer, Letter, publish};
use super::{NAME, names, queues, transport::Shared};
use crate::failure::Failure;
use crate::receiving::{Poison, one_line};
use lapin::BasicProperties;
use std::time::Duration;

/// Stores a copy where it waits for `delay`, and then comes back to the consumer's queue. `false` if there is no such place and none may be
/// made.
pub(super) async fn to_retry(shared: &Shared, consumer: &str, message: &Message, delay: Duration) -> Result<bool, Failure> {
    let step = names::step(delay);
    let queue = shared.settings.names.retry(consumer, step);
    let copy = with_header(message.properties(), DELIVERIES, message.deliveries().to_string());
    let copy = with_header(copy, ROUTING_KEY, message.routing_key()).with_expiration(names::millis(delay).to_string().into());
    // Known to be there, or made now; if it is not there after all, it was deleted, and is made again.
    let known = shared.made().contains(&queue);
    for known in [known, false] {
        if !known {
            if !queues::make_retry(&*shared.link.wire_soon().await?, &shared.settings, consumer, step).await? {
                // Somebody else may have made it.
                return store(shared, &queue, message, copy).await;
            }
            shared.made().insert(queue.clone());
        }
        if store(shared, &queue, message, copy.clone()).await? {
            return Ok(true);
        }
    }
    Err(Failure::passing(format!("queue `{queue}` of {NAME} at {} disappears as soon as it is made", shared.link.address())))
}

/// Stores a copy among the dead letters of `consumer`; where.
pub(super) async fn to_dead(shared: &Shared, consumer: &str, message: &Message, poison: &Poison) -> Result<String, Failure> {
    let queue = shared.settings.names.dead(consumer);
    let plain = message.properties();
    let copy = with_header(plain, "Events-Dead-Reason", poison.line());
    let copy = with_header(copy, "Events-Dead-Deliveries", poison.deliveries.to_string());
    let copy = with_header(copy, "Events-Dead-Routing-Key", one_line(&message.routing_key()));
    if store(shared, &queue, message, copy).await? {
        return Ok(queue);
    }
    Err(Failure::passing(format!("{NAME} at {} has no queue `{queue}` for dead letters", shared.link.address())))
}

/// Whether the queue is there and has stored it.
async fn store(shared: &Shared, queue: &str, message: &Message, properties: BasicProperties) -> Result<bool, Failure> {
    let wire = shared.link.wire_soon().await?;
    // By the default exchange, which every queue is bound to by its name.
    let letter = Letter { exchange: "".into(), routing_key: queue.into(), properties, payload: &message.body };
    let answer = publish(&wire, shared.settings.ack_timeout, std::slice::from_ref(&letter)).await.pop();
    match answer {
        Some(Answer::Stored) => Ok(true),
        Some(Answer::Homeless) => Ok(false),
        Some(Answer::Refused) => Err(wire.away(&format!("queue `{queue}` refuses to store; is it full?"))),
        Some(Answer::Closed(error)) => Err(queues::refused(&shared.settings, &format!("queue `{queue}` by the default exchange"), &error)),
        Some(Answer::Away(failure)) => Err(failure),
        None => Err(wire.away("it did not answer")),
    }
}
