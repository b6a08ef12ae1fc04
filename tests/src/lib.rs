//! Conformance suites and fault tests: one behaviour, one suite, every store and transport.
//!
//! A store is bound to the suite by a [`Harness`] of a few lines and `store_conformance!(OnSqlite);`.

#![allow(clippy::unwrap_used)]

mod conformance;
pub mod events;
mod gate;
mod faulty_store;
mod harness;
mod on_sqlite;
mod role;
mod scene;
pub mod store_cases;

pub use faulty_store::{Broken, FaultyStore, Troubles};
pub use gate::Gate;
pub use harness::{Conn, Harness};
pub use on_sqlite::{OnSqlite, book};
pub use role::Role;
pub use scene::{Scene, kind_of};
