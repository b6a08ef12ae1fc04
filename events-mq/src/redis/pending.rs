//! The entries that a group has delivered and nobody has acknowledged. The server keeps a list of them, with who has each, since when, and
//! how many times it was delivered.
//!
//! Redis has no delayed redelivery. What shall come again later is given to a consumer that nobody is, as if it had been there for ten
//! years less the delay: when the server's clock says that it has been there for ten years, it is due. So the delay is in the list itself,
//! lasts as long as the event, and needs nobody's clock but the server's; and who takes something that is due sets the time back, so that
//! nobody else takes it too.

use super::entry::{Entry, place};
use super::{group::Plan, said, transport::Shared};
use crate::failure::Failure;
use ::redis::{Pipeline, Value};
use std::{collections::BTreeMap, time::Duration};

/// The consumer that nobody is.
pub(super) const NOBODY: &str = "delayed";
/// Ten years, in milliseconds. Nothing else is that old.
const DUE: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;
/// A consumer without entries is removed when nothing was heard of it for so many times as long as it takes to be taken for dead.
const FORGOTTEN: u32 = 10;

const REMOVE_CONSUMER: &str = include_str!("remove_consumer.lua");

/// An entry, and how many times it was delivered, with this one.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) entry: Entry,
    pub(super) delivered: u32,
}

/// The list of one group.
pub(super) struct Pending<'a> {
    pub(super) shared: &'a Shared,
    pub(super) plan: &'a Plan,
}

/// What a look at the list has brought.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// What was due, or had been with somebody who does not answer; now it is ours.
    pub(super) claimed: Vec<Message>,
    /// How long the list is.
    pub(super) length: u64,
}

/// An entry of the list.
struct Listed {
    id: String,
    deliveries: u32,
}

impl Pending<'_> {
    /// Takes for `me` what is due, and what others have not answered for too long; at most about `most` of each.
    pub(super) async fn look(&self, me: &str, most: usize) -> Result<Look, Failure> {
        let (stream, group) = (&self.plan.stream, &self.plan.group);
        let mut questions = Pipeline::new();
        questions.cmd("XPENDING").arg(stream).arg(group);
        self.list(&mut questions, DUE, most, NOBODY);
        questions.cmd("XINFO").arg("CONSUMERS").arg(stream).arg(group);
        let [length, due, consumers] = self.ask(&questions, "looking at", "XPENDING, XINFO CONSUMERS").await?;
        let length = said::list(length).first().and_then(said::number).unwrap_or_default();
        let due = read(due);
        let late = self.late(me, said::list(consumers), most).await?;
        let mut claimed = self.claim(me, DUE, &due).await?;
        claimed.extend(self.claim(me, milliseconds(self.plan.ack_wait), &late).await?);
        claimed.sort_by_key(|message| message.entry.place());
        Ok(Look { claimed, length })
    }

    /// What was with a consumer for longer than it may take to answer. Consumers that are gone are removed on the way.
    async fn late(&self, me: &str, consumers: Vec<Value>, most: usize) -> Result<Vec<Listed>, Failure> {
        let mut questions = Pipeline::new();
        let forgotten = self.plan.ack_wait.saturating_mul(FORGOTTEN);
        for consumer in consumers.into_iter().map(said::list) {
            let property = |name| said::property(&consumer, name);
            let Some(name) = property("name").and_then(said::text).filter(|name| *name != NOBODY) else { continue };
            let number = |name| property(name).and_then(said::number).unwrap_or_default();
            if number("pending") > 0 {
                self.list(&mut questions, milliseconds(self.plan.ack_wait), most, name);
            } else if name != me && number("idle") >= milliseconds(forgotten) {
                self.remove(name, forgotten).await;
            }
        }
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let what = self.plan.doing("looking at", "XPENDING");
        let replies = self.shared.link.ask(&questions).await?.into_iter();
        let lists = replies.map(|reply| said::granted(self.shared.link.address(), &what, reply).map(read));
        Ok(lists.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    fn list(&self, questions: &mut Pipeline, idle: u64, most: usize, consumer: &str) {
        questions.cmd("XPENDING").arg(&self.plan.stream).arg(&self.plan.group);
        questions.arg("IDLE").arg(idle).arg("-").arg("+").arg(most).arg(consumer);
    }

    /// Takes those of the entries that have still been there for so long: somebody may have been faster.
    async fn claim(&self, me: &str, idle: u64, listed: &[Listed]) -> Result<Vec<Message>, Failure> {
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let mut claim = Pipeline::new();
        claim.cmd("XCLAIM").arg(&self.plan.stream).arg(&self.plan.group).arg(me).arg(idle);
        for entry in listed {
            claim.arg(&entry.id);
        }
        let [entries] = self.ask(&claim, "taking over events of", "XCLAIM").await?;
        let deliveries: BTreeMap<_, _> = listed.iter().map(|entry| (place(&entry.id), entry.deliveries)).collect();
        let entries = said::list(entries).into_iter().filter_map(Entry::read);
        Ok(entries
            .map(|entry| {
                let before = deliveries.get(&entry.place()).copied().unwrap_or_default();
                Message { entry, delivered: before.saturating_add(1) }
            })
            .collect())
    }

    /// These were dealt with.
    pub(super) async fn acknowledge(&self, ids: &[&str]) -> Result<(), Failure> {
        let mut acknowledge = Pipeline::new();
        acknowledge.cmd("XACK").arg(&self.plan.stream).arg(&self.plan.group).arg(ids);
        let [_] = self.ask(&acknowledge, "acknowledging events of", "XACK").await?;
        Ok(())
    }

    /// This one comes again after `delay`.
    pub(super) async fn postpone(&self, id: &str, delay: Duration) -> Result<(), Failure> {
        let mut postpone = Pipeline::new();
        postpone.cmd("XCLAIM").arg(&self.plan.stream).arg(&self.plan.group).arg(NOBODY).arg(0).arg(id);
        // The time counts from the reply at the latest, and it is no longer ago than that.
        postpone.arg("IDLE").arg(DUE.saturating_sub(milliseconds(delay))).arg("JUSTID");
        let [_] = self.ask(&postpone, "postponing an event of", "XCLAIM").await?;
        Ok(())
    }

    /// These are for others, at once, as if they had not been delivered.
    pub(super) async fn give_back(&self, messages: &[Message]) -> Result<(), Failure> {
        let mut by_deliveries = BTreeMap::<u32, Vec<&str>>::new();
        for message in messages {
            by_deliveries.entry(message.delivered.saturating_sub(1)).or_default().push(&message.entry.id);
        }
        for (deliveries, ids) in by_deliveries {
            let mut give = Pipeline::new();
            give.cmd("XCLAIM").arg(&self.plan.stream).arg(&self.plan.group).arg(NOBODY).arg(0).arg(ids);
            give.arg("IDLE").arg(DUE).arg("RETRYCOUNT").arg(deliveries).arg("JUSTID");
            let [_] = self.ask(&give, "giving back events of", "XCLAIM").await?;
        }
        Ok(())
    }

    /// Removes a consumer that has no entries, and was not heard of for so long. It would be in the way of nobody, only there for ever.
    pub(super) async fn remove(&self, consumer: &str, idle: Duration) {
        let mut remove = Pipeline::new();
        remove.cmd("EVAL").arg(REMOVE_CONSUMER).arg(1).arg(&self.plan.stream);
        remove.arg(&self.plan.group).arg(consumer).arg(milliseconds(idle));
        if let Err(failure) = self.ask::<1>(&remove, "removing a consumer of", "EVAL").await {
            tracing::debug!(consumer, error = failure.text(), "a consumer cannot be removed; it does no harm");
        }
    }

    async fn ask<const N: usize>(&self, commands: &Pipeline, what: &str, command: &str) -> Result<[Value; N], Failure> {
        let address = self.shared.link.address();
        let what = self.plan.doing(what, command);
        let replies = self.shared.link.ask(commands).await?.into_iter();
        let replies = replies.map(|reply| said::granted(address, &what, reply)).collect::<Result<Vec<_>, _>>()?;
        replies.try_into().map_err(|_| self.shared.link.away("it gave another number of replies than it was asked for"))
    }
}

/// Reads `[[id, consumer, idle, deliveries], ..]`.
fn read(list: Value) -> Vec<Listed> {
    let read = |entry: Value| {
        let entry = said::list(entry);
        let deliveries = u32::try_from(said::number(entry.get(3)?)?).unwrap_or(u32::MAX);
        Some(Listed { id: said::text(entry.first()?)?.to_owned(), deliveries })
    };
    said::list(list).into_iter().filter_map(read).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
