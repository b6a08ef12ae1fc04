//! Reads for one subscription: new entries by a blocking read on a connection of its own, and those that come again.

use super::entry::Entry;
use super::pending::{Look, Message, Pending};
use super::{said, subscription::GroupSource, wire::Wire};
use crate::failure::Failure;
use crate::receiving::{Broken, Consumer};
use ::redis::{Pipeline, Value, aio::MultiplexedConnection};
use events_core::{BoxFuture, EventId};
use futures_util::FutureExt;
use std::{collections::VecDeque, future, sync::Arc, time::Duration};
use tokio::time::Instant;

/// For how long a read waits for new entries. Who stops waits for the end of it, because what it brings later would be lost until
/// `ack_wait` is over.
const BLOCK: Duration = Duration::from_millis(500);
/// How often one looks for what others have postponed, and for others who are dead; more often if `ack_wait` is short.
const LOOK: Duration = Duration::from_secs(1);
/// How often one looks whether the group may read again.
const LOOK_IF_CROWDED: Duration = Duration::from_millis(100);

/// A consumer of the group, by a name that it has alone.
pub(super) struct Reader {
    source: Arc<GroupSource>,
    name: String,
    wire: Wire,
    ready: VecDeque<Message>,
    /// What is under way is kept here, so that `next` can be cancelled.
    reading: Option<BoxFuture<'static, Result<Read, Broken>>>,
    looking: Option<BoxFuture<'static, Result<Look, Failure>>>,
    next_look: Instant,
    /// Whether the group has so many unacknowledged entries that it gets no new ones.
    crowded: bool,
}

/// What a read has brought.
struct Read {
    messages: Vec<Message>,
    /// How many entries the group has that are not acknowledged.
    pending: u64,
}

impl Reader {
    /// Begins, and proves that this user may read.
    pub(super) async fn open(source: Arc<GroupSource>) -> Result<Self, Failure> {
        let link = &source.shared.link;
        let patience = source.shared.settings().ack_timeout.saturating_add(BLOCK);
        let wire = Wire::connect(source.shared.settings(), patience).await;
        let wire = wire.map_err(|why| link.away(&format!("there is no connection to read by: {why}")))?;
        let name = EventId::now().to_string();
        // What this consumer has, which is nothing: it makes the consumer, and moves nothing.
        let mut proof = Pipeline::new();
        proof.cmd("XREADGROUP").arg("GROUP").arg(&source.plan.group).arg(&name).arg("COUNT").arg(1);
        proof.arg("STREAMS").arg(&source.plan.stream).arg(0);
        let replies = wire.connection().send_packed_commands(&proof, 0, 1).await;
        let mut replies = replies.map_err(|error| link.away(&format!("the connection to read by was lost: {error}")))?;
        said::granted(link.address(), &source.plan.doing("reading as", "XREADGROUP"), replies.pop().unwrap_or_default())?;
        // It shows whether this user may look for what comes again, too.
        let look = Pending { shared: &source.shared, plan: &source.plan }.look(&name, 1).await?;
        let crowded = look.length >= source.plan.max_ack_pending;
        let (ready, next_look) = (look.claimed.into(), Instant::now());
        Ok(Self { source, name, wire, ready, reading: None, looking: None, next_look, crowded })
    }

    /// Begins what is to be done now; the requests go out before this returns.
    fn begin(&mut self) {
        let (source, prefetch) = (&self.source, self.source.plan.prefetch);
        if self.reading.is_none() && !self.crowded && self.ready.len() <= prefetch / 2 {
            let room = prefetch - self.ready.len();
            self.reading = Some(Box::pin(read(Arc::clone(source), self.wire.connection(), self.name.clone(), room)));
        }
        let now = Instant::now();
        if self.looking.is_none() && (self.next_look <= now || source.alarm.next().is_some_and(|due| due <= now)) {
            source.alarm.reset();
            let (source, name) = (Arc::clone(source), self.name.clone());
            self.looking =
                Some(Box::pin(
                    async move { Pending { shared: &source.shared, plan: &source.plan }.look(&name, source.plan.prefetch).await },
                ));
        }
        // Nothing is polled while an event is handled; the request must be out by then, so that what follows is there.
        if let Some(done) = self.reading.as_mut().and_then(FutureExt::now_or_never) {
            self.reading = Some(Box::pin(future::ready(done)));
        }
        if let Some(done) = self.looking.as_mut().and_then(FutureExt::now_or_never) {
            self.looking = Some(Box::pin(future::ready(done)));
        }
    }

    fn take(&mut self, read: Read) {
        self.crowded = read.pending >= self.source.plan.max_ack_pending;
        self.ready.extend(read.messages);
    }

    fn take_again(&mut self, looked: Result<Look, Failure>) -> Result<(), Broken> {
        let usual = LOOK.min(self.source.plan.ack_wait / 4);
        self.next_look = Instant::now() + usual;
        match looked {
            Ok(look) => {
                self.crowded = look.length >= self.source.plan.max_ack_pending;
                if look.claimed.len() >= self.source.plan.prefetch {
                    // There may be more.
                    self.next_look = Instant::now();
                } else if self.crowded {
                    self.next_look = Instant::now() + usual.min(LOOK_IF_CROWDED);
                }
                // They are older than what is new.
                for message in look.claimed.into_iter().rev() {
                    self.ready.push_front(message);
                }
                Ok(())
            }
            // It comes back, or the other connection finds out that it does not.
            Err(_) if !self.source.shared.link.is_up() => Ok(()),
            Err(failure) => Err(Broken(failure.text().to_owned())),
        }
    }
}

impl Consumer for Reader {
    type Message = Message;

    async fn next(&mut self) -> Result<Message, Broken> {
        loop {
            self.begin();
            if let Some(message) = self.ready.pop_front() {
                return Ok(message);
            }
            let wake = self.source.alarm.next().map_or(self.next_look, |due| due.min(self.next_look));
            let idle = self.looking.is_none();
            tokio::select! {
                biased;
                looked = of(&mut self.looking) => self.take_again(looked)?,
                read = of(&mut self.reading) => self.take(read?),
                () = self.source.alarm.changed() => {}
                () = tokio::time::sleep_until(wake), if idle => {}
            }
        }
    }

    /// Ends it: what was not handed out goes to others at once, and the consumer is removed if it has nothing else.
    async fn give_back(mut self) {
        let (source, name) = (Arc::clone(&self.source), self.name.clone());
        if !source.shared.link.is_up() {
            // Nobody to tell; others find out after `ack_wait`.
            return;
        }
        let told = tokio::time::timeout(source.shared.settings().ack_timeout.saturating_add(BLOCK), async move {
            let mut held = Vec::from(self.ready);
            // What the server sends in reply to what it was asked is ours, whether or not somebody listens.
            if let Some(Ok(read)) = of_any(self.reading.take()).await {
                held.extend(read.messages);
            }
            if let Some(Ok(look)) = of_any(self.looking.take()).await {
                held.extend(look.claimed);
            }
            drop(self.wire);
            let pending = Pending { shared: &source.shared, plan: &source.plan };
            pending.give_back(&held).await?;
            // Until the server was told what was dealt with, the consumer seems to have it.
            source.acknowledger.finish().await;
            pending.remove(&name, Duration::ZERO).await;
            Ok::<(), Failure>(())
        });
        if !matches!(told.await, Ok(Ok(()))) {
            tracing::debug!("not everything could be given back; others get it after `ack_wait`");
        }
    }
}

/// Reads up to `room` new entries. What is of other topics is acknowledged.
async fn read(source: Arc<GroupSource>, mut connection: MultiplexedConnection, name: String, room: usize) -> Result<Read, Broken> {
    let plan = &source.plan;
    let mut commands = Pipeline::new();
    commands.cmd("XREADGROUP").arg("GROUP").arg(&plan.group).arg(name).arg("COUNT").arg(room);
    commands.arg("BLOCK").arg(u64::try_from(BLOCK.as_millis()).unwrap_or(1)).arg("STREAMS").arg(&plan.stream).arg(">");
    commands.cmd("XPENDING").arg(&plan.stream).arg(&plan.group);
    let replies = connection.send_packed_commands(&commands, 0, commands.len()).await;
    let replies = replies.map_err(|error| Broken(format!("the connection to read by was lost: {error}")))?;
    let what = plan.doing("reading as", "XREADGROUP");
    let granted = |reply| said::granted(source.shared.link.address(), &what, reply).map_err(|failure| Broken(failure.text().to_owned()));
    let mut replies = replies.into_iter().map(granted);
    let mut next = || replies.next().unwrap_or(Ok(Value::Nil));
    let (streams, pending) = (next()?, next()?);
    // One stream: `[[name, entries]]`, or nothing if there was nothing.
    let entries = said::list(streams).into_iter().flat_map(|stream| said::list(stream).into_iter().nth(1)).flat_map(said::list);
    let entries: Vec<_> = entries.filter_map(Entry::read).collect();
    let (ours, foreign): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.topic().is_none_or(|topic| plan.topics.matches(topic)));
    if !foreign.is_empty() {
        let foreign: Vec<_> = foreign.iter().map(|entry| entry.id.as_str()).collect();
        // If it fails, they come again and are none of ours again.
        let _ = Pending { shared: &source.shared, plan }.acknowledge(&foreign).await;
    }
    let messages = ours.into_iter().map(|entry| Message { entry, delivered: 1 }).collect();
    Ok(Read { messages, pending: said::list(pending).first().and_then(said::number).unwrap_or_default() })
}

/// What is under way, when it is done; nothing is never done.
///
/// # Cancel safety
/// Cancel safe: it stays where it is.
async fn of<T>(under_way: &mut Option<BoxFuture<'static, T>>) -> T {
    match under_way {
        None => future::pending().await,
        Some(future) => {
            let done = future.await;
            *under_way = None;
            done
        }
    }
}

async fn of_any<T>(under_way: Option<BoxFuture<'static, T>>) -> Option<T> {
    match under_way {
        None => None,
        Some(future) => Some(future.await),
    }
}
