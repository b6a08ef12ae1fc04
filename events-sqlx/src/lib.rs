#![doc = include_str!("lib.md")]
#![cfg_attr(
    not(any(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(dead_code, unused_imports, unused_macros, unused_variables, reason = "without a database there is nobody to use it")
)]

// The modules stand in the order in which an event flows through them.
mod builder;
mod installed;
mod unit_of_work;
mod options;
mod lines;
mod statements;
mod stored;
mod cipher;
mod channel;
mod owner;
mod values;
mod backend;
mod rows;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod inserts;
mod settlements;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod network;
mod database;
mod outbox;
mod any_outbox;
mod store;
mod inspect;
mod inbox;
mod transactions;
mod dead_letters;
mod deliveries;
mod pages;
mod status;
mod migrate;
mod console;

#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use backend::Backend;
pub use builder::{OutboxBuilder, OutsideUnitOfWork, Retention};
pub use console::{
    AuditEntry, Backlog, Blocked, Console, DeadBacklog, Delivered, Finding, Lead, Level, Overview, Process, Request, SchemaVersion, Story,
};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use deliveries::{Filter, Waiting, WaitingState};
pub use migrate::{Migration, migrate, migrations_as_sql};
pub use options::{Isolation, Options, Retrying};
pub use outbox::Outbox;
pub use pages::{Cursor, Order, Page};
pub use status::{DeliveryState, DeliveryStatus};
pub use unit_of_work::UnitOfWork;
