//! For tests: see what was published without any database, wait for deliveries with a deadline, and make targets fail on command.
//!
//! ```
//! # #[tokio::main] async fn main() {
//! use events_core::{domain_event, publish, test_kit::record};
//! # use serde::{Deserialize, Serialize};
//! #[domain_event(topic = "order.payok", local)]
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct OrderPaid { order_id: i64 }
//!
//! async fn pay(order_id: i64) -> Result<(), events_core::Error> { publish(OrderPaid { order_id })?; Ok(()) }
//!
//! let (outcome, published) = record(pay(7)).await;
//! outcome.unwrap();
//! published.assert_published(&OrderPaid { order_id: 7 });
//! # }
//! ```

mod faults;
mod recorder;
mod seen;
mod wait;

pub use faults::{Fault, Faults, ScriptedTransport};
pub use recorder::{Recording, record};
pub use seen::Seen;
pub use wait::{wait_until, wait_until_within};
