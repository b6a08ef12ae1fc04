#![doc = include_str!("lib.md")]
// The futures of its client are deep.
#![cfg_attr(feature = "rocketmq", recursion_limit = "512")]

// First what all brokers share, then one module each.
#[cfg(any(feature = "kafka", feature = "rabbitmq", feature = "redis", feature = "rocketmq"))]
mod address;
mod error;
#[cfg(feature = "_broker")]
mod failure;
#[cfg(any(feature = "_broker", feature = "webhook"))]
mod options;
mod percent;
#[cfg(feature = "_broker")]
mod receiving;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq", feature = "redis"))]
mod tls;
mod topology;

pub mod headers;

#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "rocketmq")]
pub mod rocketmq;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use error::ConnectError;
pub use topology::Topology;
