//! What the examples share: the way to a message broker, inside the process or outside, and failures on purpose, of brokers and of handlers.

mod broker;
mod wire;
mod unreliable;
mod faults;
mod terms;

#[cfg(feature = "webhook")]
mod receiver;

pub use broker::{Broker, Consumer};
pub use faults::{Faults, Struck};
pub use terms::{duration, share};
pub use unreliable::{Counts, Failures, UnreliableBroker};
pub use wire::{OnlyFrom, Wire, retry};
