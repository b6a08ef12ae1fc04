//! Redis Streams: [`RedisStreams`] sends, [`RedisStreamsSubscription`] receives. For Redis 7.0 and later; tested with 7.0. Valkey
//! speaks the same protocol, and was not tried.
//!
//! ```no_run
//! # async fn example() -> Result<(), events_core::BoxError> {
//! use events_core::Subscription;
//! use events_mq::redis::RedisStreams;
//!
//! let redis = RedisStreams::connect("redis://user:password@127.0.0.1:6379").await?;
//! let mut billing = redis.subscribe("billing").topics("order.*").open().await?;
//! // Outbox::builder(pool).transport(redis) ..
//! while let Some(received) = billing.next().await {
//!     println!("{}", received.envelope().topic);
//!     received.ack().await?;
//! }
//! # Ok(()) }
//! ```
//!
//! # What goes where
//!
//! | what | key or name | made by |
//! |---|---|---|
//! | events of all topics | stream `events` (see [`stream`](RedisStreamsBuilder::stream)) | the first event, or the first subscription |
//! | a subscription's place and unacknowledged events | group `<name>` of that stream | the first subscription of the name |
//! | its members | consumers of the group, named by a UUID each | each subscription |
//! | what shall come again later | consumer `delayed` of the group | the first refusal |
//! | its dead letters | stream `events.dead.<name>` | the first dead letter |
//!
//! An entry has the fields of a CloudEvent ([`headers::Binding::REDIS`](crate::headers::Binding::REDIS): `ce_id`, `ce_type` with the topic,
//! `content-type` and so on) and `data`, the payload byte for byte. Under [`Topology::Check`](crate::Topology) nothing of it is made but
//! consumers: somebody else runs `XGROUP CREATE events billing 0 MKSTREAM`, and `XGROUP CREATE events.dead.billing undertaker 0 MKSTREAM`,
//! which makes the stream of the dead letters and a group to receive them by.
//!
//! One stream holds all topics, because only a stream has an order, and a group reads it once. It is one key, and so on one server: Redis
//! Cluster and Sentinel are not supported (an address of its own that follows the master will do, and a replica is `unavailable`).
//! Topics are filtered by the subscriber: it gets every entry, acknowledges those of other topics, and does not hand them out.
//!
//! Subscribers need the commands `TYPE`, `XGROUP`, `XINFO`, `XREADGROUP`, `XPENDING`, `XCLAIM`, `XACK` and `XADD`; with
//! `EVAL` they also remove consumers that are gone. Transports need `TYPE` and `XADD`, and `WAIT` or `XTRIM` where they are asked for.
//!
//! # What a confirmation is worth
//!
//! An event counts as sent when the server has replied with the id of its entry. What that means is the server's configuration:
//!
//! | `appendonly`, `appendfsync` | the server dies | the machine loses its power |
//! |---|---|---|
//! | `yes`, `always` | nothing is lost | nothing is lost |
//! | `yes`, `everysec` (usual) | nothing is lost, but up to 2 s if the disk was too slow for it | about the last second is lost, or 2 s |
//! | `yes`, `no` | nothing is lost, likewise | what the system had not written is lost, up to about 30 s |
//! | `no` (the default, snapshots only) | everything since the last snapshot is lost | the same |
//!
//! A server with users of its own must leave the user `default` all rights: `user default off ~* &* +@all` lets nobody in all the same. Redis
//! runs its append-only file as that user when it starts, and leaves out the transactions that the user may not run, without ending; so does
//! Valkey. What a group was given more than one at a time is such a transaction: of these events the group knows nothing any more, so they
//! **may never come again** when their subscriber dies or refuses them. The server's log tells of it: `CRITICAL` and `ACLs rules changed
//! between the moment the transaction was accumulated and the EXEC call`. (redis/redis#14545 of November 2025 mends it.)
//!
//! Replication is asynchronous: when a master fails and a replica takes over, confirmed events may be missing.
//! [`min_replicas`](RedisStreamsBuilder::min_replicas) makes each chunk of events wait until so many replicas have it in memory; that narrows
//! the window, and is still no consensus. Set `maxmemory-policy noeviction`: any other may drop the stream as a whole. With it, a full server
//! makes events unavailable.
//!
//! # Sizes
//!
//! An event with its headers may have up to [`max_payload`](RedisStreamsBuilder::max_payload), by default 16 MiB. Larger ones are a terminal
//! error here, because the server answers what exceeds its `proto-max-bulk-len` by closing the connection, and would take the rest of the
//! chunk with it. Keep it below that, if somebody has lowered that to less than 16 MiB.
//!
//! # Duplicates
//!
//! Redis drops none. What was unavailable while it was confirmed may be in the stream, and is sent again; consumers deduplicate by the
//! event's id.
//!
//! # Order
//!
//! The outbox sends the events of a key one after the other, so the stream has them in the order of their commits. A single subscription gets
//! them in that order until it refuses one, or does not answer: that one comes again later, after others of its key. Several subscriptions of
//! one name share the events whatever their key, and handle those of one key side by side. Where order matters, let one subscription handle
//! events one at a time, and do not refuse but wait.
//!
//! # Coming again
//!
//! A refused event comes again after its delay, by the server's clock: on time if this subscription takes it, up to a second later if another
//! one does. It survives the death of whoever refused it. An event that nobody answers for `ack_wait` comes again, too, to any of its name.
//!
//! # What an acknowledgement is worth
//!
//! [`ack`](events_core::Received::ack) does not wait for the server's reply: what is acknowledged meanwhile goes out together, and if the
//! connection is lost, is told again until `ack_wait` is over. If the process dies within that moment, the event comes again, although it was
//! handled. [`stop`](RedisStreamsSubscription::stop) waits for the reply. Without a connection, `ack` is an error. Refusals wait always.
//!
//! # What grows
//!
//! Redis keeps entries although they were acknowledged. No limit is set by default, because trimming does not ask whether an entry was
//! received. Trim when all groups have been far beyond: `XINFO GROUPS events` shows them, `XTRIM events MINID ~ <id>` trims; or choose a
//! [`max_age`](RedisStreamsBuilder::max_age) that is longer than any subscriber may be away. Dead letters stay until somebody deletes them; a
//! transport with `.stream("events.dead.billing")` can subscribe to them like to other events.
//!
//! # What is not promised
//!
//! That an event which was trimmed, or deleted, comes again. That events of a stream which was deleted are seen by a group made
//! [`from_now`](RedisStreamsSubscriptionBuilder::from_now) only once: a group that disappears under a subscription is made again from the
//! beginning, so that nothing is missed.

mod acknowledger;
mod alarm;
mod builder;
mod dead_letters;
mod entry;
mod group;
mod inbox;
mod link;
mod pending;
mod reader;
mod said;
mod subscription;
mod tls;
mod topics;
mod transport;
mod wire;

pub use builder::RedisStreamsBuilder;
pub use group::RedisStreamsSubscriptionBuilder;
pub use inbox::RedisInbox;
pub use subscription::RedisStreamsSubscription;
pub use transport::RedisStreams;

/// How errors call the broker.
const NAME: &str = "Redis";
