//! What the brokers are told of a member's progress, and what they know of it.

use super::delay;
use super::member::{Assigned, Member};
use super::progress::{Progress, Refusal};
use super::request::{Request, answer, code};
use super::route::Queue;
use crate::failure::Failure;

impl Member {
    /// Where to begin in a queue.
    pub(super) async fn begin(&self, topic: &str, queue: &Queue) -> Result<Progress, Failure> {
        if let Some(offset) = self.told_position(topic, queue).await? {
            return Ok(Progress::from(offset));
        }
        let from_now = self.plan.from_now && topic == self.link.settings().topic;
        let code = if from_now { code::MAX_OFFSET } else { code::MIN_OFFSET };
        let answer = self.link.ask(&queue.address, Request::new(code).with("topic", topic).with("queueId", queue.id)).await?;
        match answer.number("offset") {
            Some(offset) if answer.is_success() => {
                let progress = Progress::from(offset);
                // Whoever comes next shall not begin later than we did.
                progress.tell_again();
                Ok(progress)
            }
            _ => Err(self.link.refused(&queue.address, &format!("say where topic `{topic}` begins"), &answer)),
        }
    }

    /// How far the broker believes that the group has come.
    async fn told_position(&self, topic: &str, queue: &Queue) -> Result<Option<i64>, Failure> {
        let group = &self.plan.group;
        let request = Request::new(code::QUERY_CONSUMER_OFFSET)
            .with("consumerGroup", group)
            .with("topic", topic)
            .with("queueId", queue.id)
            .with("setZeroIfNotFound", false);
        let answer = self.link.ask(&queue.address, request).await?;
        match answer.code() {
            answer::SUCCESS => Ok(answer.number("offset")),
            answer::QUERY_NOT_FOUND => Ok(None),
            _ => Err(self.link.refused(&queue.address, &format!("say how far group `{group}` is in topic `{topic}`"), &answer)),
        }
    }

    /// Tells the broker how far we are, if it does not know.
    pub(super) async fn tell_position(&self, assigned: &Assigned) -> Result<(), Failure> {
        let Some(position) = assigned.progress.untold() else { return Ok(()) };
        self.tell(assigned, position).await?;
        assigned.progress.told(position);
        Ok(())
    }

    /// After the queue went to another member, who may be farther already.
    pub(super) async fn tell_late(&self, assigned: &Assigned) -> Result<(), Failure> {
        let position = assigned.progress.position();
        match self.told_position(&assigned.topic, &assigned.queue).await? {
            Some(told) if told >= position => Ok(()),
            _ => self.tell(assigned, position).await,
        }
    }

    async fn tell(&self, assigned: &Assigned, position: i64) -> Result<(), Failure> {
        let request = Request::new(code::UPDATE_CONSUMER_OFFSET)
            .with("consumerGroup", &self.plan.group)
            .with("topic", &assigned.topic)
            .with("queueId", assigned.queue.id)
            .with("commitOffset", position);
        let answer = self.link.ask(&assigned.queue.address, request).await?;
        if answer.is_success() {
            return Ok(());
        }
        Err(self.link.refused(&assigned.queue.address, &format!("store how far group `{}` is", self.plan.group), &answer))
    }

    /// Lets the broker deliver a message again, after a while; then we are done with it.
    pub(super) async fn send_back(&self, assigned: &Assigned, offset: i64, refusal: &Refusal) -> Result<(), Failure> {
        let group = &self.plan.group;
        let request = Request::new(code::SEND_BACK)
            .with("offset", refusal.log_offset)
            .with("group", group)
            .with("delayLevel", delay::level(refusal.delay))
            .with("originMsgId", &refusal.id)
            .with("originTopic", &assigned.topic)
            .with("unitMode", false)
            // We count ourselves, and make dead letters that say why.
            .with("maxReconsumeTimes", i32::MAX);
        let answer = self.link.ask(&assigned.queue.address, request).await?;
        if !answer.is_success() {
            return Err(self.link.refused(&assigned.queue.address, &format!("deliver an event to group `{group}` again"), &answer));
        }
        assigned.progress.done(offset);
        Ok(())
    }
}
