//! Kafka: [`Kafka`] sends, [`KafkaSubscription`] receives.
//!
//! ```no_run
//! # async fn example() -> Result<(), events_core::BoxError> {
//! use events_core::Subscription;
//! use events_mq::kafka::Kafka;
//!
//! let kafka = Kafka::connect("kafka://user:password@127.0.0.1:9092").await?;
//! let mut billing = kafka.subscribe("billing").topics("order.*").open().await?;
//! // Outbox::builder(pool).transport(kafka) ..
//! while let Some(received) = billing.next().await {
//!     println!("{}", received.envelope().topic);
//!     received.ack().await?;
//! }
//! # Ok(()) }
//! ```
//!
//! The client library is librdkafka, which is compiled from C. TLS, and passwords by SCRAM, need the feature `kafka-tls`, which links the
//! machine's OpenSSL; without it they are refused when a connection is made.
//!
//! # What goes where
//!
//! An event of topic `order.payok` is stored in the Kafka topic `events.order.payok`: the prefix (default `events`), a dot and the event's
//! topic. In `events.dead.<group>` are the dead letters of a consumer group, so no topic may begin with `dead.`. Names are ASCII letters,
//! digits, `.`, `_` and `-`, at most 249 bytes with the prefix; an event of another topic is a terminal error. The record's key is the
//! event's key. Headers follow the CloudEvents binding for Kafka, `ce_id` and so on (see [`headers`](crate::headers)).
//!
//! Under [`Topology::Create`](crate::Topology::Create) a topic is made when its first event is sent, or again if it was deleted meanwhile,
//! with [`partitions`](KafkaBuilder::partitions) and [`replication`](KafkaBuilder::replication); one that is there keeps its settings. Under
//! [`Topology::Check`](crate::Topology::Check) nothing is made: an event whose topic is missing is a terminal error, and a subscription whose
//! topic for dead letters is missing does not open. Brokers are never asked to make topics by themselves.
//!
//! # What a confirmation means
//!
//! An event is sent when all in-sync replicas of its partition have it (`acks=all`). How many these are is the broker's decision: with
//! `min.insync.replicas=1`, or one replica, an event that was confirmed is lost with its only broker. Brokers confirm before they sync their
//! disk.
//!
//! # Sizes
//!
//! An event with its key may have [`max_message_bytes`](KafkaBuilder::max_message_bytes), by default 1,000,000 bytes, which is
//! less than an outbox takes by default; whoever publishes more raises it, and the limits of topic and broker. Larger events are a terminal
//! error. A broker that refuses what was sent together is asked again for each event alone, so one that is too large takes no other with it.
//!
//! # Duplicates
//!
//! The producer is idempotent: what it repeats by itself is stored once. Kafka knows no ids of events, so what the outbox sends again after
//! an outage is stored twice if it was stored before; consumers deduplicate by the event's id.
//!
//! # Order
//!
//! The outbox sends the events of a key one after the other, and a key has one partition for as long as nobody changes their number. The
//! partition is chosen as Java's clients do (murmur2). A subscription hands out events of one key one after the other, the next when the one
//! before is acknowledged or a dead letter, so a refused event is not overtaken by its key. Events without a key have no order.
//!
//! # Acknowledgements
//!
//! Kafka remembers for each group and partition one number, before which everything is done. It is told the place of the first event that
//! has no answer, twice a second and when a subscription ends; after a crash everything from there on comes again, also what was acknowledged
//! after it. When a partition goes to another subscriber, what was handed out of it comes again there, and its acknowledgement is an error.
//!
//! A refused event waits in the memory of its subscriber. Deliveries are counted there too: when the process dies, or the partition goes to
//! another, counting begins again. So **an event that kills its process each time never becomes a dead letter by itself**: catch what can
//! be caught, and move the group past the event by hand (`kafka-consumer-groups --reset-offsets`).
//!
//! An event that a living subscriber neither answers nor drops does not come again. It holds up its key, then, after
//! [`max_unanswered`](KafkaSubscriptionBuilder::max_unanswered) more, its partition. Kafka's own sign of life is that
//! [`next`](events_core::Subscription::next) is called: who does not call it for [`ack_wait`](KafkaSubscriptionBuilder::ack_wait) loses its
//! partitions to others of the group. Until then the others may have to wait too, because a group shares its partitions anew only
//! when all members take part.
//!
//! New topics of a pattern are found after [`discover_every`](KafkaSubscriptionBuilder::discover_every), and read from their beginning.
//!
//! # Strangers in the topics
//!
//! What is no CloudEvent in binary mode becomes a dead letter. So does a message whose headers the client library cannot read, which it
//! tells by a panic that is caught here; with `panic = "abort"` it ends the process.
//!
//! # Versions
//!
//! Kafka 2.4 and later; tested with tansu 0.6, which speaks Kafka's protocol, and with librdkafka's mock cluster, not with Kafka itself. All
//! subscribers of a group must share by `cooperative-sticky`, which other clients choose by their option `partition.assignment.strategy`.

mod admin;
mod batch;
mod books;
mod builder;
mod client;
mod consumer;
mod dead_letters;
mod ears;
mod message;
mod producer;
mod reader;
mod refusal;
mod subscription;
mod topic;
mod transport;

pub use builder::KafkaBuilder;
pub use client::SaslMechanism;
pub use consumer::KafkaSubscriptionBuilder;
pub use subscription::KafkaSubscription;
pub use transport::Kafka;

use crate::address::Form;

/// How errors call the broker.
const NAME: &str = "Kafka";
const FORM: Form =
    Form { broker: NAME, schemes: &[("kafka", false, 9092), ("kafkas", true, 9093)], example: "kafka://user:password@host:9092,host:9092" };
