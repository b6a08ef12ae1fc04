//! NATS JetStream: [`Nats`] sends, [`NatsSubscription`] receives.
//!
//! ```no_run
//! # async fn example() -> Result<(), events_core::BoxError> {
//! use events_core::Subscription;
//! use events_mq::nats::Nats;
//!
//! let nats = Nats::connect("nats://user:password@127.0.0.1:4222").await?;
//! let mut billing = nats.subscribe("billing").topics("order.*").open().await?;
//! // Outbox::builder(pool).transport(nats) ..
//! while let Some(received) = billing.next().await {
//!     println!("{}", received.envelope().topic);
//!     received.ack().await?;
//! }
//! # Ok(()) }
//! ```
//!
//! # What goes where
//!
//! One stream (default `EVENTS`) holds all subjects under one prefix (default `events`): an event of topic `order.payok` is stored under
//! `events.order.payok`. Below `events.dead.` are the dead letters of consumers, so no topic may begin with `dead.`.
//!
//! # Sizes
//!
//! The server takes messages up to its `max_payload`, by default 1 MiB with the headers. That is as much as an outbox takes by default
//! without them: whoever publishes payloads of that size raises the one, or lowers the other. Larger events are a terminal error.
//!
//! # Duplicates
//!
//! `Nats-Msg-Id` is the event's id: the stream drops what it has stored within its duplicate window (default 2 minutes, see
//! [`duplicate_window`](NatsBuilder::duplicate_window)). An event that is sent again later than that, because the broker or the outbox was
//! away for longer, is stored twice; consumers deduplicate by the event's id.
//!
//! # Order
//!
//! The outbox sends the events of a key one after the other, so the stream has them in the order of their commits. A consumer gets them in
//! that order until it refuses one: what it refused comes again later, after others of its key. Where that matters, handle events one at
//! a time, and do not refuse but wait.
//!
//! # Strangers in the stream
//!
//! What is no CloudEvent becomes a dead letter. A message whose headers break the protocol itself (a lone carriage return, bytes that are no
//! UTF-8) cannot be read by the client library: it loses its connection, or ends, and a new one is made. Transport and subscription go on,
//! but the message comes again whenever `ack_wait` is over, until somebody deletes it from the stream; the log says so. Let only those
//! publish below the prefix who keep to the protocol.

mod address;
mod builder;
mod consumer;
mod dead_letters;
mod link;
mod pull;
mod stream;
mod subject;
mod subscription;
mod transport;

pub use builder::NatsBuilder;
pub use consumer::NatsSubscriptionBuilder;
pub use subscription::NatsSubscription;
pub use transport::Nats;

/// How errors call the broker.
const NAME: &str = "NATS";
