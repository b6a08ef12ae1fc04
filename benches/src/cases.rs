//! What is measured.

mod drain;
mod latency;
mod overflow;
mod publish;

use crate::record::Record;
use crate::scale::Scale;
use crate::verdict::Verdict;

/// One thing to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Case {
    Publish,
    Drain,
    Overflow,
    Latency,
}

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) records: Vec<Record>,
}

impl Case {
    pub(crate) async fn measure(self, scale: &Scale) -> anyhow::Result<Findings> {
        match self {
            Self::Publish => publish::measure(scale).await,
            Self::Drain => drain::measure(scale).await,
            Self::Overflow => overflow::measure(scale).await,
            Self::Latency => latency::measure(scale).await,
        }
    }
}
