//! What happens to parcels.

use events_core::domain_event;
use serde::{Deserialize, Serialize};

/// A parcel was ordered; it travels through the broker.
#[domain_event(topic = "parcel.ordered")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ordered {
    /// Its number.
    pub n: i64,
}

/// A parcel was packed; it shall be shipped.
#[domain_event(topic = "parcel.packed", local)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Packed {
    /// Its number.
    pub n: i64,
}
