//! Parcels, for the test that each effect happens exactly once: orders come through a broker, packers pack and ship them, and packers and
//! broker are killed meanwhile.
//!
//! A packer is a process. It receives [`Ordered`], writes a row of `packed` and publishes [`Packed`] in the unit of work that has the
//! receipt; the handler of that writes a row of `shipped`. Nothing in the tables keeps a row from being there twice, so that an effect that
//! happens twice is seen.

mod case;
mod depot;
mod events;
mod packer;
mod register;
mod strike;
mod tally;
mod work;

pub use case::each_effect_happens_exactly_once;
pub use depot::{Depot, pack_on_mysql, pack_on_postgres, ship_on_mysql, ship_on_postgres};
pub use events::{Ordered, Packed};
pub use packer::Packer;
pub use register::Register;
pub use tally::Tally;
pub use work::work;

use crate::Terms;
use std::time::Duration;

/// The group of the packers.
const GROUP: &str = "packing";

/// The terms of the packers' subscriptions. An event may come as often as somebody dies with it; who is dead is soon taken for dead.
const TERMS: Terms = Terms { attempts: 1_000, delay: Duration::from_millis(100), ack_wait: Duration::from_secs(2) };
