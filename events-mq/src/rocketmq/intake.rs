//! Reads the queues of a member, and hands out what arrives.

use super::consumer::Plan;
use super::member::{Assigned, Member};
use super::message::Incoming;
use super::request::{Request, answer, code};
use super::transport::Shared;
use crate::failure::Failure;
use crate::receiving::{Broken, Consumer, Opening};
use std::sync::{Arc, atomic::Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How many messages are asked for at once, at most; brokers give no more.
const AT_ONCE: usize = 32;
/// For how long a broker keeps a request when it has no messages.
const SUSPEND: Duration = Duration::from_secs(15);
/// How long after a failure a queue is read again.
const PAUSE: Duration = Duration::from_millis(300);
/// The broker may wait, and the filter is part of the request.
const FLAGS: u32 = 2 | 4;

/// A message of a queue, and whose it is.
pub(super) struct Arrival {
    pub(super) member: Arc<Member>,
    pub(super) assigned: Arc<Assigned>,
    pub(super) message: Incoming,
}

/// What arrives for a member.
pub(super) struct Intake {
    member: Arc<Member>,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    ended: watch::Receiver<Option<String>>,
}

impl Plan {
    /// Joins the group.
    pub(super) async fn open(&self, shared: &Arc<Shared>, _opening: Opening) -> Result<Intake, Failure> {
        // What has arrived is limited by the prefetch, so the line needs no limit of its own.
        let (sender, arrivals) = mpsc::unbounded_channel();
        let member = Member::join(shared.link.another(), self.clone(), sender).await?;
        Ok(Intake { ended: member.ended.subscribe(), member, arrivals })
    }
}

/// Somebody waits for an event, as long as this is there.
struct Waiting<'a>(&'a Member);

impl<'a> Waiting<'a> {
    fn with(member: &'a Member) -> Self {
        member.pulse.waiting.store(true, Relaxed);
        Self(member)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.pulse.beat();
        self.0.pulse.waiting.store(false, Relaxed);
    }
}

impl Consumer for Intake {
    type Message = Arrival;

    async fn next(&mut self) -> Result<Arrival, Broken> {
        let _waiting = Waiting::with(&self.member);
        loop {
            tokio::select! {
                biased;
                ended = self.ended.wait_for(Option::is_some) => {
                    let why = ended.ok().and_then(|why| why.clone()).unwrap_or_default();
                    return Err(Broken(why));
                }
                Some(arrival) = self.arrivals.recv() => {
                    // What another member gets is none of ours any more.
                    if !arrival.assigned.is_revoked() {
                        arrival.assigned.progress.hand_out(&arrival.message);
                        return Ok(arrival);
                    }
                }
            }
        }
    }

    async fn give_back(self) {
        self.member.leave("it was stopped").await;
    }
}

/// Reads a queue until it is told to stop.
pub(super) async fn pull(member: Arc<Member>, assigned: Arc<Assigned>, arrivals: mpsc::UnboundedSender<Arrival>) {
    loop {
        let room = assigned.progress.room(member.share());
        if room == 0 {
            assigned.progress.room.notified().await;
            continue;
        }
        match pull_once(&member, &assigned, room.min(AT_ONCE)).await {
            // No await in between: what was read is handed out, or not read.
            Ok(messages) => {
                for message in messages {
                    let arrival = Arrival { member: Arc::clone(&member), assigned: Arc::clone(&assigned), message };
                    let _ = arrivals.send(arrival);
                }
            }
            Err(failure) => {
                tracing::debug!(group = member.plan.group, topic = assigned.topic, error = failure.text(), "a queue cannot be read");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn pull_once(member: &Member, assigned: &Assigned, room: usize) -> Result<Vec<Incoming>, Failure> {
    let (link, queue, topic) = (&member.link, &assigned.queue, &assigned.topic);
    // What comes again was wanted the first time.
    let filter = if *topic == link.settings().topic { member.filter() } else { "*".to_owned() };
    let request = Request::new(code::PULL_MESSAGE)
        .with("consumerGroup", &member.plan.group)
        .with("topic", topic)
        .with("queueId", queue.id)
        .with("queueOffset", assigned.progress.next())
        .with("maxMsgNums", room)
        .with("sysFlag", FLAGS)
        .with("commitOffset", 0)
        .with("suspendTimeoutMillis", SUSPEND.as_millis())
        .with("subscription", filter)
        .with("subVersion", 1)
        .with("expressionType", "TAG");
    let answer = link.ask_patiently(&queue.address, request, SUSPEND + link.settings().ack_timeout).await?;
    let next = answer.number("nextBeginOffset");
    match (answer.code(), next) {
        (answer::SUCCESS, Some(next)) => {
            let messages = Incoming::all(answer.body());
            assigned.progress.read(&messages, next);
            Ok(messages)
        }
        // Everything up to there was meant for others.
        (answer::PULL_NOT_FOUND | answer::PULL_RETRY_IMMEDIATELY, Some(next)) => {
            assigned.progress.read(&[], next);
            Ok(Vec::new())
        }
        (answer::PULL_OFFSET_MOVED, Some(next)) => {
            let from = assigned.progress.next();
            if from != next {
                tracing::warn!(
                    group = member.plan.group,
                    topic,
                    queue = queue.id,
                    from,
                    to = next,
                    "a broker has other messages than it had"
                );
                assigned.progress.go_to(next);
            }
            tokio::time::sleep(PAUSE).await;
            Ok(Vec::new())
        }
        _ => Err(link.refused(&queue.address, &format!("read topic `{topic}`"), &answer)),
    }
}
