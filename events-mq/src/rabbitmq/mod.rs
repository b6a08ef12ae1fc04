//! RabbitMQ: [`RabbitMq`] sends, [`RabbitMqSubscription`] receives.
//!
//! ```no_run
//! # async fn example() -> Result<(), events_core::BoxError> {
//! use events_core::Subscription;
//! use events_mq::rabbitmq::RabbitMq;
//!
//! let rabbit = RabbitMq::builder("amqp://user:password@127.0.0.1:5672").queue("billing", "order.*").connect().await?;
//! let mut billing = rabbit.subscribe("billing").topics("order.*").open().await?;
//! // Outbox::builder(pool).transport(rabbit) ..
//! while let Some(received) = billing.next().await {
//!     println!("{}", received.envelope().topic);
//!     received.ack().await?;
//! }
//! # Ok(()) }
//! ```
//!
//! # What goes where
//!
//! | name | what |
//! |---|---|
//! | `events` | the durable topic exchange (see [`exchange`](RabbitMqBuilder::exchange)); the routing key is the event's topic |
//! | `events.billing` | the queue of the consumer `billing`, bound by its topics |
//! | `events.dead.billing` | its dead letters |
//! | `events.retry.billing.1024ms` | where its refused events wait, for up to so many milliseconds: a power of two, from 64; made when it is needed first |
//!
//! With [`Topology::Create`](crate::Topology::Create) what is missing is made, and what is there keeps its settings. With
//! [`Topology::Check`](crate::Topology::Check) somebody else makes the first three; bindings cannot be looked at. If a queue for refused
//! events is missing then, they wait, unacknowledged, at the subscriber that refused them.
//!
//! # Consumers are declared up front
//!
//! RabbitMQ keeps events in queues and nowhere else. An exchange drops what no queue takes; so every event is published as `mandatory`,
//! comes back if nobody takes it, and is a terminal error. But if one queue takes it, nothing tells that another, which was to be made
//! later, misses it. So whoever sends names the consumers that must miss nothing by [`queue`](RabbitMqBuilder::queue): their queues are made
//! when the transport connects, and again if they are found to have disappeared. (Or they are made by whoever sets up the broker.)
//!
//! # Messages
//!
//! CloudEvents as headers `cloudEvents:id` and so on ([`Binding::RABBITMQ`](crate::headers::Binding::RABBITMQ); `cloudEvents_` is read
//! too), and once more as far as AMQP has properties for it: `message_id`, `type`, `app_id` (the source), `timestamp`, `content_type`. A
//! payload may have as many bytes as the server's `max_message_size` says, of which the builder must know
//! ([`max_message_size`](RabbitMqBuilder::max_message_size)); a topic 255 bytes; the name of a header 236; and all headers together must fit
//! into a frame (`frame_max`, 128 KiB by default). What does not fit is a terminal error.
//!
//! # What a confirmation means
//!
//! An event is sent when all queues that take it have confirmed it. A quorum queue (the default) does so when a majority of its nodes have
//! written it to disk; a classic queue when its only node has. Neither loses what it confirmed by the death of a node; a classic queue is
//! away with its node. There is one exception, which the tests met: a node writes down that it has a new quorum queue up to half a second
//! after it made it, and if the only node dies before that, it makes an empty queue of that name again (RabbitMQ 3.10.8). Make queues when
//! you deploy, not when you first send. Waiting copies go from queue to queue without a loss between quorum queues only (RabbitMQ's dead letter strategy
//! `at-least-once`); if a node dies in that very moment, a classic queue may lose one.
//!
//! # Duplicates
//!
//! RabbitMQ drops none: an event that is sent again, because its confirmation was lost, is stored twice. Consumers deduplicate by the
//! event's id.
//!
//! # Order
//!
//! The outbox sends the events of a key one after the other, so every queue has them in the order of their commits. A consumer gets them in
//! that order as long as it has one subscription and refuses none: what it refused comes again later, after others of its key.
//!
//! # Coming again
//!
//! A refused event waits for its delay in a queue of copies and then comes back. Only the first in such a queue can leave it, so when many wait
//! it may take up to twice the delay. After its last delivery it is a dead letter: a copy with `Events-Dead-Reason`,
//! `Events-Dead-Deliveries` and `Events-Dead-Routing-Key`. The original is acknowledged only when the copy is confirmed.
//!
//! What a subscriber had when it died comes again when its connection ends: at once if its process was killed, after at most 20 s if its
//! machine disappeared. A quorum queue counts those deliveries; a classic one does not, so there an event that kills its subscriber comes
//! again for ever. The server takes back what was not answered within its `consumer_timeout` (30 min by default), and ends the channel; the
//! subscription opens another.
//!
//! # Connections and permissions
//!
//! Two: RabbitMQ stops reading from publishers when it is short of memory or disk. That is `unavailable` with the reason; consumers go on.
//!
//! A user who sends needs the permission to write to the exchange. A consumer needs to read from its queue, and to write to the default
//! exchange (`amq.default`) for copies. Under [`Topology::Create`](crate::Topology::Create) both need to configure what is made, to write to
//! the queue and to read from the exchange for the binding.
//!
//! # Not promised
//!
//! - RabbitMQ before 3.10 has no quorum queues that can do this; with [`QueueType::Classic`] it may work, and was not tested.
//! - Header names that are no UTF-8 cannot be read by the client library, which then ends the connection: the message comes again until
//!   somebody removes it. Let only those publish to the exchange who keep to the protocol.
//! - Streams, priorities and exclusive queues.

mod arrivals;
mod builder;
mod consumer;
mod copies;
mod link;
mod message;
mod names;
mod publish;
mod queues;
mod subscription;
mod tls;
mod transport;
mod wire;

pub use builder::{QueueType, RabbitMqBuilder};
pub use consumer::RabbitMqSubscriptionBuilder;
pub use subscription::RabbitMqSubscription;
pub use transport::RabbitMq;

/// How errors call the broker.
const NAME: &str = "RabbitMQ";
