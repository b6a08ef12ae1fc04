//! A member of a consumer group: reads its partitions, and tells the group how far it has come.
//!
//! It works only while somebody asks for the next message. Who does not ask for `ack_wait` is dead to the group.

use super::books::{Books, Pace};
use super::consumer::Plan;
use super::message::Message;
use super::{builder::Settings, ears::Ears};
use crate::failure::Failure;
use crate::receiving::{Broken, Consumer};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// How long it may take to leave a group where nothing else can be done meanwhile.
const GOODBYE: Duration = Duration::from_secs(1);

/// The books of a subscription, kept by who reads and by who answers.
#[derive(Clone, Default)]
pub(super) struct SharedBooks(Arc<(Mutex<Books>, Notify)>);

impl SharedBooks {
    pub(super) fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is something to tell, or to hand out.
    pub(super) fn notify(&self) {
        self.0.1.notify_one();
    }

    async fn notified(&self) {
        self.0.1.notified().await;
    }
}

pub(super) struct Reader {
    /// Shared with who asks it on another thread; gone when the group is left.
    consumer: Option<Arc<StreamConsumer<Member>>>,
    books: SharedBooks,
    /// How many messages of a partition may be open.
    limit: usize,
    /// How long the end waits for answers.
    farewell: Duration,
}

/// Hears what the group decides.
pub(super) struct Member {
    books: SharedBooks,
    ears: Ears,
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        Ears::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.ears.hear(&error, reason);
    }
}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                for it in partitions.elements() {
                    self.books.lock().assign(it.topic(), it.partition());
                }
            }
            Rebalance::Revoke(partitions) => {
                tell(consumer, &self.books);
                for it in partitions.elements() {
                    self.books.lock().revoke(it.topic(), it.partition());
                }
            }
            Rebalance::Error(error) => tracing::warn!(%error, "the group cannot share its partitions"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // Nothing is lost: the next time, more is told at once.
        match result {
            Err(error) if error.rdkafka_error_code() != Some(Code::NoOffset) => {
                tracing::info!(%error, "the group was not told how far we are; it is tried again");
            }
            _ => {}
        }
    }
}

impl Reader {
    pub(super) fn open(config: &ClientConfig, settings: &Settings, books: SharedBooks, limit: usize) -> KafkaResult<Self> {
        let member = Member { books: books.clone(), ears: Ears::new(&settings.address_text) };
        let consumer = Arc::new(StreamConsumer::from_config_and_context(config, member)?);
        Ok(Self { consumer: Some(consumer), books, limit, farewell: settings.ack_timeout })
    }

    pub(super) fn subscribe(&self, topics: &str) -> KafkaResult<()> {
        self.consumer.as_ref().map_or(Ok(()), |consumer| consumer.subscribe(&[topics]))
    }

    /// If the group is new, it has everything behind it that is there now.
    pub(super) async fn begin_now(&self, plan: Plan, settings: &Settings) -> Result<(), Failure> {
        let Some(consumer) = self.consumer.clone() else { return Ok(()) };
        let (ears, settings) = (consumer.context().ears.clone(), settings.clone());
        let done = tokio::task::spawn_blocking(move || skip_all(&consumer, &plan, &settings)).await;
        match done {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ears.away(&format!("it does not tell where its topics end: {error}"))),
            Err(_) => Err(Failure::passing("the runtime ends")),
        }
    }

    /// Holds up partitions of which too much is open, and lets others go on.
    fn pace(&self, consumer: &StreamConsumer<Member>) {
        let paces = self.books.lock().paces(self.limit);
        for (topic, partition, pace) in paces {
            let mut list = TopicPartitionList::new();
            list.add_partition(&topic, partition);
            let done = match pace {
                Pace::Pause => consumer.pause(&list),
                Pace::Resume => consumer.resume(&list),
            };
            if let Err(error) = done {
                tracing::debug!(topic, partition, %error, "a partition that went away cannot be paused");
            }
        }
    }

    /// What came instead of a message.
    fn hear(consumer: &StreamConsumer<Member>, error: &KafkaError) -> Result<(), Broken> {
        consumer.context().ears.hear(error, &error.to_string());
        match error {
            KafkaError::MessageConsumptionFatal(code) => Err(Broken(format!("the consumer has to begin anew: {code}"))),
            // It goes on by itself.
            _ => Ok(()),
        }
    }
}

impl Consumer for Reader {
    type Message = Message;

    async fn next(&mut self) -> Result<Message, Broken> {
        let Some(consumer) = &self.consumer else { return Err(Broken("the group was left".to_owned())) };
        loop {
            tell(&**consumer, &self.books);
            self.pace(consumer);
            let taken = self.books.lock().take(Instant::now());
            let due = match taken {
                Ok(message) => return Ok(message),
                Err(due) => due,
            };
            tokio::select! {
                biased;
                arrived = consumer.recv() => match arrived {
                    Ok(message) => {
                        let message = Message::read(&message);
                        let place = message.place.clone();
                        if self.books.lock().arrive(message).is_err() {
                            return Err(Broken(format!("partition {} of topic `{}` began again", place.partition, place.topic)));
                        }
                    }
                    Err(error) => Self::hear(consumer, &error)?,
                },
                () = self.books.notified() => {}
                () = sleep_until(due) => {}
            }
        }
    }

    /// Leaves the group, which gives its partitions to others. What somebody has in hand could not be answered any more then, so it waits
    /// for these answers, but not for long.
    async fn give_back(mut self) {
        let answered = async {
            while self.books.lock().has_any_out() {
                self.books.notified().await;
            }
        };
        if tokio::time::timeout(self.farewell, answered).await.is_err() {
            tracing::info!("the group is left before all events were answered; they come again to others");
        }
        let (farewell, left) = (self.farewell, self.leave());
        if let Some(left) = left
            && tokio::time::timeout(farewell, left).await.is_err()
        {
            tracing::debug!("the broker does not hear that the group is left; it finds out by itself");
        }
    }
}

impl Reader {
    /// Leaves the group; the first time it returns when that is done. A thread of its own does it: the library waits for the broker, even
    /// if that never comes back.
    fn leave(&mut self) -> Option<oneshot::Receiver<()>> {
        let consumer = self.consumer.take()?;
        tell(&*consumer, &self.books);
        // What is handed out can be answered no more: the group gives it to others.
        self.books.lock().clear();
        let (done, left) = oneshot::channel();
        let leave = move || {
            drop(consumer);
            // Nobody may wait for it.
            let _ = done.send(());
        };
        std::thread::Builder::new().name("kafka-leave".to_owned()).spawn(leave).ok().map(|_| left)
    }
}

impl Drop for Reader {
    /// It is here when there is no runtime, perhaps because the process ends: the group should hear of it.
    fn drop(&mut self) {
        if let Some(mut left) = self.leave() {
            let deadline = Instant::now() + GOODBYE;
            while left.try_recv() == Err(oneshot::error::TryRecvError::Empty) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Tells how far we have come. The library passes it on.
fn tell<C: ConsumerContext>(consumer: &impl rdkafka::consumer::Consumer<C>, books: &SharedBooks) {
    let news = books.lock().news();
    if news.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::with_capacity(news.len());
    for (topic, partition, reached) in news {
        if let Err(error) = list.add_partition_offset(&topic, partition, Offset::Offset(reached)) {
            tracing::warn!(topic, partition, reached, %error, "no place in a partition");
        }
    }
    if let Err(error) = consumer.store_offsets(&list) {
        tracing::debug!(%error, "a partition that went away cannot be told of");
    }
}

/// Puts the group at the end of all partitions of which it has no place yet; blocks.
fn skip_all(consumer: &StreamConsumer<Member>, plan: &Plan, settings: &Settings) -> KafkaResult<()> {
    let within = settings.ack_timeout;
    let metadata = consumer.fetch_metadata(None, within)?;
    let mut all = TopicPartitionList::new();
    for topic in metadata.topics().iter().filter(|it| settings.topics.is_of_pattern(&plan.topics, it.name())) {
        for partition in topic.partitions() {
            all.add_partition(topic.name(), partition.id());
        }
    }
    if all.count() == 0 {
        return Ok(());
    }
    let mut ends = TopicPartitionList::new();
    for it in consumer.committed_offsets(all, within)?.elements() {
        if it.offset() == Offset::Invalid {
            let (_, end) = consumer.fetch_watermarks(it.topic(), it.partition(), within)?;
            ends.add_partition_offset(it.topic(), it.partition(), Offset::Offset(end))?;
        }
    }
    if ends.count() == 0 {
        return Ok(());
    }
    match consumer.commit(&ends, CommitMode::Sync) {
        // The group has members: it is not new, and they know where it is.
        Err(KafkaError::ConsumerCommit(Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress)) => Ok(()),
        other => other,
    }
}

/// Never, without a time.
async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
