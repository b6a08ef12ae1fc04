//! The command line.

use crate::cases::{Case, Findings};
use crate::scale::Scale;
use crate::{record, table};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures the outbox against hand-written sqlx and says whether it reaches its targets; exit code 1 if it misses one.
#[derive(Debug, Parser)]
#[command(name = "events-bench")]
pub(crate) struct Command {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    case: Choice,
    /// Smaller sizes; everything in less than a minute.
    #[arg(long)]
    quick: bool,
    /// How often each side is measured; the median counts. [default: 15, quick: 9]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Also writes the figures to this file, as a JSON array.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Choice {
    All,
    Publish,
    Drain,
    Overflow,
    Latency,
}

impl Choice {
    /// Memory is measured first, while the process is as small as any other that does nothing else.
    fn cases(self) -> &'static [Case] {
        match self {
            Self::All => &[Case::Overflow, Case::Publish, Case::Drain, Case::Latency],
            Self::Publish => &[Case::Publish],
            Self::Drain => &[Case::Drain],
            Self::Overflow => &[Case::Overflow],
            Self::Latency => &[Case::Latency],
        }
    }
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut scale = if self.quick { Scale::quick() } else { Scale::full() };
        scale.rounds = self.rounds.unwrap_or(scale.rounds);
        let mut all = Findings::default();
        for case in self.case.cases() {
            let findings = case.measure(&scale).await?;
            all.verdicts.extend(findings.verdicts);
            all.records.extend(findings.records);
        }
        if let Some(file) = &self.json {
            record::write(file, &all.records)?;
        }
        println!("{}", table::markdown(&all.verdicts));
        let missed = all.verdicts.iter().any(|verdict| !verdict.is_met());
        Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
