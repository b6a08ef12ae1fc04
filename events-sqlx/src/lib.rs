#![doc = include_str!("lib.md")]
#![cfg_attr(
    not(any(feature = "postgres", feature = "sqlite")),
    allow(dead_code, unused_imports, unused_macros, reason = "without a database there is nobody to use it")
)]

// The modules stand in the order in which an event flows through them.
mod builder;
mod installed;
mod unit_of_work;
mod keys;
mod statements;
mod rows;
mod settlements;
mod backend;
mod database;
mod outbox;
mod store;
mod dead_letters;
mod deliveries;
mod migrate;

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use backend::Backend;
pub use builder::{OutboxBuilder, OutsideUnitOfWork, Retention};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use deliveries::{Filter, Waiting, WaitingState};
pub use migrate::{Migration, migrate};
pub use outbox::Outbox;
pub use unit_of_work::UnitOfWork;
