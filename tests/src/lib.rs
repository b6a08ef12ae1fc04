//! Conformance suites and fault tests: one behaviour, one suite, every store and transport.
//!
//! A store is bound to the suite by a [`Harness`] of a few lines and `store_conformance!(OnSqlite);`, a broker by a [`BrokerHarness`] and
//! `broker_conformance!(OnNats);`.

#![allow(clippy::unwrap_used)]
// The futures of RocketMQ's client are deep.
#![recursion_limit = "512"]

pub mod broker_cases;
mod bind;
mod broker_conformance;
pub mod broker_harness;
pub mod by_hand;
mod child;
pub mod concurrent_cases;
mod conformance;
pub mod crash_cases;
pub mod events;
pub mod events_of_cards;
pub mod events_of_old;
mod gate;
mod half_memory;
mod faulty_store;
mod harness;
mod on_kafka;
mod on_mysql;
mod on_nats;
mod on_pgbouncer;
mod on_postgres;
mod on_redis;
mod on_rabbitmq;
mod on_rocketmq;
mod on_sqlite;
pub mod parcels;
pub mod post;
pub mod proxy;
mod role;
mod scene;
pub mod servers;
pub mod shop;
pub mod store_cases;

pub use broker_harness::{BrokerHarness, DeadLetter, Terms};
pub use by_hand::ByHand;
pub use faulty_store::{Broken, FaultyStore, Troubles};
pub use gate::Gate;
pub use half_memory::HalfMemory;
pub use harness::{Conn, Harness};
pub use on_kafka::OnKafka;
pub use on_mysql::{OnMySql, book_on_mysql, take_on_mysql};
pub use on_nats::OnNats;
pub use on_pgbouncer::OnPgbouncer;
pub use on_postgres::{OnPostgres, book_on_postgres, take_on_postgres};
pub use on_rabbitmq::OnRabbitMq;
pub use on_redis::OnRedis;
pub use on_rocketmq::OnRocketMq;
pub use on_sqlite::{OnSqlite, book, take};
pub use role::Role;
pub use scene::{Scene, kind_of};
