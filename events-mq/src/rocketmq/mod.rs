//! RocketMQ: [`RocketMq`] sends, [`RocketMqSubscription`] receives.
//!
//! ```no_run
//! # async fn example() -> Result<(), events_core::BoxError> {
//! use events_core::Subscription;
//! use events_mq::rocketmq::RocketMq;
//!
//! let rocketmq = RocketMq::connect("rocketmq://accesskey:secret@127.0.0.1:9876").await?;
//! let mut billing = rocketmq.subscribe("billing").topics(["order.payok"]).open().await?;
//! // Outbox::builder(pool).transport(rocketmq) ..
//! while let Some(received) = billing.next().await {
//!     println!("{}", received.envelope().topic);
//!     received.ack().await?;
//! }
//! # Ok(()) }
//! ```
//!
//! The address is that of the name servers, which tell where the brokers are.
//!
//! # What goes where
//!
//! One topic of RocketMQ (default `EVENTS`) holds the events of all topics. An event's topic is its tag, its id is its key (`KEYS`, and
//! `UNIQ_KEY`), so both can be searched for; its other attributes are properties that begin with `ce_`. A topic of events cannot hold `|`,
//! control characters, or blanks at an end: such an event is a terminal error. A group of consumers has two topics more: `%RETRY%<group>`,
//! where what it refused waits, and `%DLQ%<group>` for its dead letters. Under [`Topology::Create`](crate::Topology::Create) the topics, the group and
//! its dead letters are made at every broker of the cluster, by the requests that administrators use; under
//! [`Topology::Check`](crate::Topology::Check) they must be there. The brokers themselves make `%RETRY%<group>`.
//!
//! # What a confirmation means
//!
//! An event is sent when its broker has answered `SEND_OK` and nothing less: what that is worth is the broker's own setting
//! (`flushDiskType`, `brokerRole`). As brokers come, it has the event in the memory of the operating system: that survives the death of
//! the broker, but not of its machine. One that answers that it could not flush in time or has no replica has the event, but not as safely as
//! it was set up to: that is unavailable, and the event is sent again.
//!
//! # Sizes
//!
//! A payload has up to 4 MiB ([`max_message_size`](RocketMqBuilder::max_message_size), and the brokers' `maxMessageSize`), headers and
//! attributes together up to 31 KiB; more is a terminal error. Brokers take no message without a body: an event without a payload has a blank
//! as its body, and the property `empty_body`. They keep no property without a value: what is empty is stored as two quotation marks.
//!
//! # Duplicates
//!
//! RocketMQ stores what it gets, twice if it gets it twice: consumers deduplicate by the event's id.
//!
//! # Order
//!
//! The events of a key go to one queue, chosen by a hash of the key (that of Java's clients), and the outbox sends them one after the other.
//! A consumer gets them in that order until it refuses one: what it refused comes again later, after others of its key. While the
//! number of queues changes, because a broker joins or leaves, keys move to other queues, and their next events may overtake the last ones.
//! Events without a key go to one queue after the other, 32 to each, and have no order.
//!
//! # Acknowledgements
//!
//! The queues are divided among the subscribers of a group, as among other clients of RocketMQ; one more than there are queues gets nothing. A
//! broker keeps one number for a group and a queue, up to where everything is dealt with. It is told once a second, and when a subscription
//! stops. So what was acknowledged within the last second comes again after the process was killed, and whatever was acknowledged out of turn, behind
//! an event that still waits for its answer; so does what is handled while the queue goes to another subscriber. A subscription reads
//! at most 2,000 messages of a queue ahead of one without an answer.
//!
//! An event that is refused is stored again by its broker, and delivered when its delay is over: at least a second
//! ([`retry`](RocketMqSubscriptionBuilder::retry)). The broker counts refusals. It does not count deaths: an event that kills its process
//! comes again as if it were new.
//!
//! # Transactional messages
//!
//! [`RocketMq`] is a [`TwoPhaseTransport`](events_core::TwoPhaseTransport) too: `Outbox::builder(pool).two_phase(rocketmq)` stores events as half
//! messages before COMMIT instead of rows in the outbox, confirms them after it, and answers from the database when a broker asks. Then
//! nothing that publishes can commit while the brokers are away, the order of a key is not kept, and an event is delayed by nothing. A
//! connection answers for one outbox. `docs/two-phase.md` of the repository says when that is worth it, what must be set at the brokers,
//! and what they cannot promise.
//!
//! # TLS
//!
//! The client library has TLS only with the cryptography that the process has as its default, which is nobody's to choose here.
//! `rocketmqs://` is refused; use a tunnel, or a network that is your own. Credentials are never sent: every request is signed by the secret
//! (HMAC-SHA1, as servers expect it by default).
//!
//! # Versions
//!
//! Tested with the broker of rocketmq-rust 1.0.0. The requests are those of the remoting protocol since 4.9; the proxy of RocketMQ 5 (gRPC)
//! is not spoken to. `POP` consumption is not used: in that broker's version, what is not acknowledged never comes again.
//!
//! The client library runs on a runtime of its own with two threads, made with the first connection of the process.

mod builder;
mod consumer;
mod dead_letters;
mod delay;
mod engine;
mod group;
mod half;
mod health;
mod intake;
mod link;
mod member;
mod message;
mod names;
mod positions;
mod progress;
mod queue;
mod request;
mod route;
mod subscription;
mod transport;
mod two_phase;

pub use builder::RocketMqBuilder;
pub use consumer::RocketMqSubscriptionBuilder;
pub use subscription::RocketMqSubscription;
pub use transport::RocketMq;

/// How errors call the broker.
const NAME: &str = "RocketMQ";
