//! What no subscriber can deal with, kept with the reason.

use super::consumer::Plan;
use super::intake::Arrival;
use super::message::Outgoing;
use super::route::{self, Queue};
use super::transport::Shared;
use super::{NAME, names};
use crate::receiving::{Poison, one_line};
use events_core::BoxError;

/// Properties that belong to the message as it was stored the last time, not to the event.
const STORED: [&str; 7] = ["CLUSTER", "DELAY", "MSG_REGION", "REAL_QID", "REAL_TOPIC", "TRACE_ON", "WAIT"];

/// Stores a copy where the group's dead letters are.
pub(super) async fn store(shared: &Shared, plan: &Plan, arrival: &Arrival, poison: &Poison) -> Result<(), BoxError> {
    let topic = names::dead_letters_of(&plan.group);
    let from = arrival.assigned.topic.as_str();
    match send(shared, &topic, arrival, poison).await {
        Ok(()) => {
            tracing::warn!(group = plan.group, from, to = topic, reason = poison.reason, "an event became a dead letter");
            Ok(())
        }
        Err(error) => {
            tracing::error!(
                group = plan.group, from, to = topic, reason = poison.reason, %error,
                "a dead letter cannot be stored; the event comes again"
            );
            Err(format!("{NAME} cannot store a dead letter in topic `{topic}`: {error}").into())
        }
    }
}

async fn send(shared: &Shared, topic: &str, arrival: &Arrival, poison: &Poison) -> Result<(), BoxError> {
    let (link, message) = (&arrival.member.link, &arrival.message);
    let said = |failure: crate::failure::Failure| failure.text().to_owned();
    let route = route::prepare(link, topic, 1).await.map_err(said)?;
    // At its own broker, so that another one that is away holds up nothing.
    let own = |queue: &&Queue| queue.broker == arrival.assigned.queue.broker;
    let queue = route.write.iter().find(own).or(route.write.first()).ok_or("no broker takes it")?;
    let plain = || {
        let properties = message.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        properties.filter(|(name, _)| !STORED.contains(name) && !name.starts_with("Events-Dead-"))
    };
    let (reason, deliveries) = (poison.line(), poison.deliveries.to_string());
    let from = message.properties.get("RETRY_TOPIC").unwrap_or(&arrival.assigned.topic);
    let from = one_line(from);
    let why = [("Events-Dead-Reason", reason.as_str()), ("Events-Dead-Deliveries", &deliveries), ("Events-Dead-Topic", &from)];
    let mut letter = Outgoing::new(plain().chain(why), message.body.clone());
    if !letter.fits() {
        // The reason is in the log; the event matters more.
        letter = Outgoing::new(plain(), message.body.clone());
    }
    let group = &shared.link.settings().producer_group;
    let answer = link.ask(&queue.address, letter.request(group, topic, queue)).await.map_err(said)?;
    if answer.is_success() { Ok(()) } else { Err(answer.said().into()) }
}
