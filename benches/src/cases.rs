//! What is measured.

mod drain;
mod growth;
mod latency;
mod overflow;
mod recovery;
mod relays;
mod snapshot;
mod units;

use crate::database::Database;
use crate::peer::Peers;
use crate::record::Record;
use crate::scale::Scale;
use crate::system::System;
use clap::ValueEnum;

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// A handler that is far too slow: memory must stay flat
    Overflow,
    /// A business row and 1 or 10 events
    Publish,
    /// Publish, deliver to a handler that does nothing, settle
    EndToEnd,
    /// The same with 1,000 hot keys
    Keys,
    /// The same with five handlers per event
    FanOut,
    /// A long backlog
    Drain,
    /// From COMMIT to the handler, in this process and in another one
    Latency,
    /// With more and more events waiting
    Growth,
    /// While another session holds a snapshot open
    Snapshot,
    /// Several processes drain one backlog
    Relays,
    /// A relay that holds leases is killed
    Recovery,
}

impl Case {
    /// Memory is measured first, while the process is as small as any other that does nothing else.
    pub(crate) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    pub(crate) async fn measure<S: System>(self, bench: &mut Bench<S>) -> anyhow::Result<()> {
        match self {
            Self::Publish => units::publish(bench).await,
            Self::EndToEnd => units::end_to_end(bench).await,
            Self::Keys => units::keys(bench).await,
            Self::FanOut => units::fan_out(bench).await,
            Self::Drain => drain::measure(bench).await,
            Self::Latency => latency::measure(bench).await,
            Self::Growth => growth::measure(bench).await,
            Self::Snapshot => snapshot::measure(bench).await,
            Self::Relays => relays::measure(bench).await,
            Self::Recovery => recovery::measure(bench).await,
            Self::Overflow => overflow::measure(bench).await,
        }
    }
}

/// Where and how much is measured, and what came out so far.
pub(crate) struct Bench<S: System> {
    pub(crate) database: Database<S>,
    pub(crate) scale: Scale,
    pub(crate) peers: Peers,
    pub(crate) records: Vec<Record>,
}

impl<S: System> Bench<S> {
    /// Takes down a result and shows it.
    pub(crate) fn note(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            println!("{}", record.line());
            self.records.push(record);
        }
    }
}
