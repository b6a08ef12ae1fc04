//! The command line.

use crate::cases::{Bench, Case};
use crate::database::Database;
use crate::peer::Peers;
use crate::record::{self, Record};
use crate::scale::Scale;
use crate::system::{System, SystemName};
use crate::target::{self, Target};
use crate::worker::Worker;
use crate::{plot, table};
use anyhow::bail;
use clap::{Args, Parser, Subcommand};
use sqlx::{MySql, Postgres, Sqlite};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Measures the outbox against the bare transaction and against hand-written sqlx, side by side, in a database of its own.
///
/// The servers are those of POSTGRES_URL and MYSQL_URL, without the name of a database; by default those on this machine.
#[derive(Debug, Parser)]
#[command(name = "events-bench")]
pub(crate) struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Everything
    All(Settings),
    /// A business row and 1 or 10 events
    Publish(Settings),
    /// Publish, deliver to a handler that does nothing, settle
    EndToEnd(Settings),
    /// The same with 1,000 hot keys
    Keys(Settings),
    /// The same with five handlers per event
    FanOut(Settings),
    /// A long backlog
    Drain(Settings),
    /// From COMMIT to the handler, in this process and in another one
    Latency(Settings),
    /// With more and more events waiting
    Growth(Settings),
    /// While another session holds a snapshot open
    Snapshot(Settings),
    /// Several processes drain one backlog
    Relays(Settings),
    /// A relay that holds leases is killed
    Recovery(Settings),
    /// A handler that is far too slow: memory must stay flat
    Overflow(Settings),
    /// The other end of a measurement with several processes
    #[command(hide = true)]
    Worker { what: String },
}

#[derive(Debug, Args)]
struct Settings {
    /// Where to measure
    #[arg(long, value_enum, default_value = "postgres")]
    database: SystemName,
    /// Smaller sizes; everything on one database in less than eight minutes
    #[arg(long)]
    quick: bool,
    /// How often each side is measured; the median counts [default: 7, quick: 5]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// How many tasks publish at once [default: 1,8,32]
    #[arg(long, value_delimiter = ',')]
    tasks: Option<Vec<usize>>,
    /// How long each side publishes in each round, in milliseconds [default: 3000, quick: 400]
    #[arg(long)]
    millis: Option<u64>,
    /// How many events wait in `drain` [default: 1000000, quick: 20000]
    #[arg(long)]
    waiting: Option<u64>,
    /// How many events wait in `growth` [default: 10000,1000000,10000000, quick: 20000,200000]
    #[arg(long, value_delimiter = ',')]
    growth: Option<Vec<u64>>,
    /// For how many seconds `snapshot` holds its snapshot [default: 600, quick: 3]
    #[arg(long)]
    snapshot: Option<u64>,
    /// A program that measures other libraries, in turns with the rest: that of the package in `benches/peers`; may be given again
    #[arg(long, value_name = "PROGRAM")]
    peers: Vec<PathBuf>,
    /// Also writes the figures to this file, as a JSON array
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also writes the tables, plots and figures into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Ends with exit code 1 if a target is missed
    #[arg(long)]
    check: bool,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let (cases, settings): (&[Case], Settings) = match self.what {
            What::All(settings) => (Case::all(), settings),
            What::Publish(settings) => (&[Case::Publish], settings),
            What::EndToEnd(settings) => (&[Case::EndToEnd], settings),
            What::Keys(settings) => (&[Case::Keys], settings),
            What::FanOut(settings) => (&[Case::FanOut], settings),
            What::Drain(settings) => (&[Case::Drain], settings),
            What::Latency(settings) => (&[Case::Latency], settings),
            What::Growth(settings) => (&[Case::Growth], settings),
            What::Snapshot(settings) => (&[Case::Snapshot], settings),
            What::Relays(settings) => (&[Case::Relays], settings),
            What::Recovery(settings) => (&[Case::Recovery], settings),
            What::Overflow(settings) => (&[Case::Overflow], settings),
            What::Worker { what } => {
                serde_json::from_str::<Worker>(&what)?.run().await?;
                return Ok(ExitCode::SUCCESS);
            }
        };
        match settings.database {
            SystemName::Postgres => settings.measure::<Postgres>(cases).await,
            SystemName::Mysql => settings.measure::<MySql>(cases).await,
            SystemName::Sqlite => settings.measure::<Sqlite>(cases).await,
        }
    }
}

impl Settings {
    fn scale(&self) -> Scale {
        let mut scale = if self.quick { Scale::quick() } else { Scale::full() };
        scale.rounds = self.rounds.unwrap_or(scale.rounds);
        scale.tasks = self.tasks.clone().unwrap_or(scale.tasks);
        scale.time = self.millis.map_or(scale.time, Duration::from_millis);
        scale.waiting = self.waiting.unwrap_or(scale.waiting);
        if let Some(growth) = self.growth.clone() {
            scale.growth = growth;
        }
        scale.snapshot = self.snapshot.map_or(scale.snapshot, Duration::from_secs);
        scale
    }

    async fn measure<S: System>(&self, cases: &[Case]) -> anyhow::Result<ExitCode> {
        let peers = Peers::of(&self.peers).await?;
        let mut bench = Bench { database: Database::<S>::create().await?, scale: self.scale(), peers, records: Vec::new() };
        println!("{}", Record::head());
        let measured = tokio::select! {
            measured = async {
                for case in cases {
                    case.measure(&mut bench).await?;
                }
                anyhow::Ok(())
            } => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let Bench { database, records, .. } = bench;
        // Also after a failure; what failed matters more.
        let dropped = database.drop().await;
        measured.and(dropped)?;
        let targets = Target::all(&records);
        let of_targets = table::markdown(target::HEAD, &targets.iter().map(Target::cells).collect::<Vec<_>>(), 1);
        println!("\n{of_targets}");
        if let Some(file) = &self.json {
            record::write(file, &records)?;
        }
        if let Some(folder) = &self.out {
            write_folder(folder, S::LABEL, &records, &of_targets)?;
        }
        let missed = targets.iter().any(|target| !target.is_met());
        Ok(if self.check && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn write_folder(folder: &Path, system: SystemName, records: &[Record], of_targets: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    record::write(&folder.join("figures.json"), records)?;
    let plots = plot::write(folder, records)?;
    let figures = table::markdown(record::HEAD, &records.iter().map(Record::cells).collect::<Vec<_>>(), 2);
    let plots: String = plots.iter().map(|plot| format!("![{plot}]({plot})\n")).collect();
    let Some(name) = serde_json::to_value(system)?.as_str().map(str::to_owned) else { bail!("a system has no name") };
    Ok(std::fs::write(folder.join("figures.md"), format!("# Figures on {name}\n\n{figures}\n{of_targets}\n{plots}"))?)
}
