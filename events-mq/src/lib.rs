#![doc = include_str!("lib.md")]

// First what all brokers share, then one module each.
mod error;
#[cfg(feature = "nats")]
mod failure;
mod percent;
mod topology;

pub mod headers;

#[cfg(feature = "nats")]
pub mod nats;

pub use error::ConnectError;
pub use topology::Topology;
