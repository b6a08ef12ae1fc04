//! What no subscriber can deal with, kept with the reason.

use super::{NAME, group::Plan, pending::Message, pending::Pending, said, transport::Shared, transport::missing};
use crate::{Topology, failure::Failure, receiving::Poison};
use ::redis::{Cmd, Pipeline, Value};
use events_core::BoxError;
use std::time::Duration;

/// When a message that could not become a dead letter comes again.
pub(super) const AGAIN: Duration = Duration::from_secs(10);

/// Stores a copy in the group's stream for dead letters, and acknowledges the original.
///
/// If the copy cannot be stored, the message comes again: nothing is given up silently.
pub(super) async fn bury(shared: &Shared, plan: &Plan, message: &Message, poison: &Poison) -> Result<(), BoxError> {
    let (group, to, entry) = (&plan.group, &plan.dead_letters, &message.entry.id);
    match store(shared, plan, message, poison).await {
        Ok(()) => {
            tracing::warn!(group, from = plan.stream, entry, to, reason = poison.reason, "an event became a dead letter");
            Ok(())
        }
        Err(failure) => {
            let (reason, error) = (&poison.reason, failure.text());
            tracing::error!(group, from = plan.stream, entry, to, reason, error, "a dead letter cannot be stored; the event comes again");
            // If this fails too, `ack_wait` brings it back.
            let _ = Pending { shared, plan }.postpone(entry, AGAIN).await;
            Err(format!("{NAME} cannot store a dead letter in `{to}`: {error}").into())
        }
    }
}

/// First the letter, then the acknowledgement, each on its own: a transaction of Redis would acknowledge although the letter was refused.
/// Who dies in between leaves an event that becomes a letter a second time.
async fn store(shared: &Shared, plan: &Plan, message: &Message, poison: &Poison) -> Result<(), Failure> {
    let (address, what) = (shared.link.address(), format!("storing a dead letter in `{}` (`XADD`)", plan.dead_letters));
    let mut command = Pipeline::new();
    command.add_command(letter(plan, message, poison, shared.settings().topology));
    let reply = shared.link.ask(&command).await?.pop().unwrap_or_default();
    // `NOMKSTREAM` and no stream.
    if said::granted(address, &what, reply)? == Value::Nil {
        return Err(missing(&plan.dead_letters, address));
    }
    Pending { shared, plan }.acknowledge(&[&message.entry.id]).await
}

/// Its own fields, and why it is here.
fn letter(plan: &Plan, message: &Message, poison: &Poison, topology: Topology) -> Cmd {
    let mut letter = Cmd::new();
    letter.arg("XADD").arg(&plan.dead_letters);
    if topology == Topology::Check {
        letter.arg("NOMKSTREAM");
    }
    letter.arg("*");
    for (name, value) in &message.entry.fields {
        // A letter that was taken up again and died a second time has the second reason.
        if !name.starts_with(b"events_dead_") {
            letter.arg(&name[..]).arg(&value[..]);
        }
    }
    letter.arg("events_dead_reason").arg(poison.line());
    letter.arg("events_dead_deliveries").arg(poison.deliveries);
    letter.arg("events_dead_stream").arg(&plan.stream);
    letter.arg("events_dead_entry").arg(&message.entry.id);
    letter
}
