#![doc = include_str!("lib.md")]

// The modules stand in the order in which an event flows through them.
mod event;
mod shape;
mod upcast;
mod envelope;
mod masked;
mod sealed;
#[cfg(feature = "encryption")]
mod payload_keys;
mod cloud_events;
mod collect;
mod extract;
mod handler;
mod transport;
mod memory_transport;
mod retry;
mod targets;
mod registry;
mod registry_builder;
mod phases;
mod inbox;
mod store;
mod depth;
mod dispatcher;
mod lane;
mod leases;
mod leadership;
mod options;
mod engine;
mod hand_over;
mod two_phase;
mod at_most_once;
mod worker;
mod settler;
mod heartbeat;
mod wake_up;
mod pace;
mod scanner;
mod intake;
mod reception;
mod receiver;
mod maintenance;
mod report;
mod relay;
mod outboxes;
mod supervise;
mod stats;
pub mod metric;
mod instrument;
mod meter;
mod trace_context;
mod spans;
mod catalog;
mod async_api;
mod sample;
mod schema_changes;
mod schema_lock;
mod clock;
mod error;
mod build_error;

#[cfg(feature = "test-kit")]
pub mod test_kit;

pub use build_error::BuildError;
pub use catalog::{Catalog, CatalogEvent, CatalogField, CatalogHandler, catalog};
pub use clock::{Clock, millis_of};
pub use cloud_events::{from_cloud_event, to_cloud_event};
pub use collect::{Collected, Collector, Publication, publish, publish_at, publish_in};
pub use envelope::{Envelope, EventId, Headers, Metadata};
pub use error::{BoxError, Error};
pub use event::{DomainEvent, EventPayload};
pub use extract::{Completion, Context, EventArg, FromContext, Requirements, State, UnitOfWorkArg};
pub use hand_over::{HandOver, Planned};
pub use handler::{Backoff, BoxFuture, DeliveryError, DeliveryErrorKind, HandlerFn, Phase};
pub use inbox::{Inbox, Receipt, ReceiveOutcome};
pub use masked::SENSITIVE_HEADER;
pub use memory_transport::{MemorySubscription, MemoryTransport};
pub use options::RelayOptions;
pub use outboxes::{AnyOutbox, OutboxStatus, Outboxes};
#[cfg(feature = "encryption")]
pub use payload_keys::{PayloadKey, PayloadKeys};
pub use receiver::{Receiver, ReceiverBuilder};
pub use registry::Registry;
pub use registry_builder::RegistryBuilder;
pub use relay::Relay;
pub use report::{LATENCY_BOUNDS, LoopReport, ProcessReport, Sample};
pub use retry::{DeadLetterPolicy, RetryPolicy};
pub use schema_changes::{Change, Severity};
pub use schema_lock::{EventsLock, LockedEvent, LockedField};
pub use stats::{LoopHealth, Stats};
pub use store::{
    DeadReason, Delivery, DeliveryId, Failure, InUnitOfWork, Lease, LeaseRequest, LeaseToken, Leased, Orphans, OutboxStore, Outcome,
    SettleReport, Settlement, Swept, TargetRequest, TransactOutcome, Unreadable,
};
pub use transport::{Acknowledge, Received, Subscription, Transport};
pub use two_phase::{Prepared, PreparedEvents, Resolution, TransactionChecker, TransactionId, TwoPhaseTransport};
pub use upcast::Upcast;

pub use events_macros::{after_commit, after_completion, after_rollback, before_commit, domain_event, subscribe};

/// What generated code needs. Not public API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::event::EventDescriptor;
    pub use crate::handler::{
        Backoff, Effects, HandlerCall, HandlerDescriptor, HandlerOptions, IntoOutcome, OrderingKey, Phase, UnitOfWorkType,
    };
    pub use crate::retry::DeadLetterPolicy;
    pub use crate::shape::{DerivedSchema, FieldDescriptor, NoSchema, SchemaProbe, Shape};
    pub use crate::upcast::follows;
    pub use inventory;
    pub use serde_json::{Error as JsonError, Value as Json};
}
