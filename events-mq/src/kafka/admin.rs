//! Topics: made or looked at.

use super::NAME;
use super::refusal::is_passing;
use super::{producer::Producer, transport::Shared};
use crate::{Topology, failure::Failure};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::types::RDKafkaRespErr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For how long all brokers may be gone before an answer is given up: they may come back at once.
pub(super) const GRACE: Duration = Duration::from_millis(1_500);
/// How long one question may take at first; the next may take twice as long.
const FIRST_ANSWER: Duration = Duration::from_millis(500);
/// How often a topic that was made is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// What a broker knows of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    There,
    Missing,
}

impl Shared {
    /// Makes sure that the topic is there.
    pub(super) async fn prepare(self: &Arc<Self>, topic: &str) -> Result<(), Failure> {
        if self.is_known(topic) {
            return Ok(());
        }
        match (self.look(topic).await?, self.settings.topology) {
            (Seen::There, _) => {}
            (Seen::Missing, Topology::Create) => self.create(topic).await?,
            (Seen::Missing, Topology::Check) => {
                return Err(Failure::hopeless(format!(
                    "{NAME} at {} has no topic `{topic}`; make it, or choose `Topology::Create`",
                    self.settings.address_text
                )));
            }
        }
        self.know(topic);
        Ok(())
    }

    /// Whether any broker answers within that time.
    pub(super) async fn reach(self: &Arc<Self>, within: Duration) -> Result<(), Failure> {
        self.ask(None, within).await.map(drop)
    }

    async fn look(self: &Arc<Self>, topic: &str) -> Result<Seen, Failure> {
        let settings = &self.settings;
        match self.ask(Some(topic.to_owned()), settings.ack_timeout).await? {
            None | Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) => Ok(Seen::There),
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => Ok(Seen::Missing),
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) => Err(Failure::hopeless(format!(
                "{NAME} at {} does not let this user see the topic `{topic}`; grant Describe and Write on it",
                settings.address_text
            ))),
            Some(other) => match Code::from(other) {
                code if is_passing(code) => Err(self.producer().ears().away(&format!("topic `{topic}` takes nothing: {code}"))),
                code => Err(Failure::hopeless(format!("{NAME} at {} cannot use the topic `{topic}`: {code}", settings.address_text))),
            },
        }
    }

    /// What is wrong with a topic, or nothing. Asks on a thread for that, since the library only answers who waits.
    async fn ask(self: &Arc<Self>, topic: Option<String>, within: Duration) -> Result<Option<RDKafkaRespErr>, Failure> {
        let producer = self.producer();
        let asked = Arc::clone(&producer);
        let answer = tokio::task::spawn_blocking(move || ask_again(&asked, topic.as_deref(), within)).await;
        match answer {
            Ok(Ok(error)) => Ok(error),
            Ok(Err(code)) => Err(producer.ears().away(&format!("it does not answer: {code}"))),
            Err(_) => Err(Failure::passing("the runtime ends")),
        }
    }

    async fn create(self: &Arc<Self>, topic: &str) -> Result<(), Failure> {
        // One at a time: whoever waits finds it made.
        let _making = self.making.lock().await;
        let settings = &self.settings;
        let failed = |why: String| {
            Failure::hopeless(format!(
                "topic `{topic}` of {NAME} at {} cannot be made: {why}; make it by hand and choose `Topology::Check`",
                settings.address_text
            ))
        };
        let config = settings.client().map_err(|error| failed(error.to_string()))?;
        let admin: AdminClient<DefaultClientContext> = config.create().map_err(|error| failed(error.to_string()))?;
        let replication = TopicReplication::Fixed(settings.replication.unwrap_or(-1));
        let new = NewTopic::new(topic, settings.partitions, replication);
        let options = AdminOptions::new().request_timeout(Some(settings.ack_timeout)).operation_timeout(Some(settings.ack_timeout));
        let made = admin.create_topics([&new], &options).await;
        // It waits for its threads.
        tokio::task::spawn_blocking(move || drop(admin));
        let away = |code: Code| self.producer().ears().away(&format!("topic `{topic}` cannot be made: {code}"));
        match made {
            Ok(results) => match results.into_iter().next() {
                None | Some(Ok(_) | Err((_, Code::TopicAlreadyExists))) => {}
                Some(Err((_, code))) if is_passing(code) => return Err(away(code)),
                Some(Err((_, code))) => return Err(failed(code.to_string())),
            },
            Err(error) => return Err(away(error.rdkafka_error_code().unwrap_or(Code::OperationTimedOut))),
        }
        // Other brokers hear of it a moment later, and until then it would seem to be gone again.
        let deadline = Instant::now() + settings.ack_timeout;
        while self.look(topic).await? == Seen::Missing {
            if Instant::now() > deadline {
                return Err(self.producer().ears().away(&format!("topic `{topic}` was made and did not appear")));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

/// Asks until somebody answers, the time is up, or nobody is left.
fn ask_again(producer: &Producer, topic: Option<&str>, within: Duration) -> Result<Option<RDKafkaRespErr>, Code> {
    let begun = Instant::now();
    let losses = producer.ears().losses();
    let (mut patience, mut lost) = (FIRST_ANSWER, None);
    loop {
        let left = within.saturating_sub(begun.elapsed());
        let code = match producer.metadata(topic, patience.min(left)) {
            Ok(metadata) => {
                producer.ears().forget();
                return Ok(topic.and_then(|_| metadata.topics().first()?.error()));
            }
            Err(code) => code,
        };
        if losses.has_changed().unwrap_or(true) {
            lost.get_or_insert_with(Instant::now);
        }
        let gone = lost.is_some_and(|lost: Instant| lost.elapsed() >= GRACE);
        if begun.elapsed() >= within || gone || producer.ears().is_refused() {
            return Err(code);
        }
        // While nobody is there the library may answer at once.
        std::thread::sleep(LOOK);
        if begun.elapsed() > patience {
            patience *= 2;
        }
    }
}
