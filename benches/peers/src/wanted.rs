//! What `events-bench` asks for, and what it is answered.

use serde::{Deserialize, Serialize};

/// What is to be measured.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) peer: String,
    pub(crate) url: String,
    pub(crate) tasks: usize,
    /// Whether the events are delivered and settled, or only stored.
    pub(crate) delivered: bool,
    pub(crate) millis: u64,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) events: u64,
    pub(crate) took_us: u64,
    pub(crate) cpu_us: Option<u64>,
    pub(crate) peak_mb: Option<f64>,
    /// Each latency of a unit of work in microseconds, with how often there was one.
    pub(crate) latencies: Vec<(u64, u64)>,
}
