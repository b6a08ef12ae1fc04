//! The command line.

use crate::{plan::Plan, role::Role};
use clap::{Args, Parser, Subcommand};
use std::time::Duration;
use wire::{duration, share};

/// Transfers money from one bank to another, each with a database and an outbox of its own, while handlers fail and the broker misbehaves;
/// and checks that no cent is lost or made.
///
/// The last line is `transfers=.. total_before=.. total_after=.. completed=.. rejected=.. refused=.. duplicates=.. lost=..`. The exit code
/// is 1 if a check failed.
#[derive(Debug, Parser)]
#[command(name = "bank-transfer", version, after_long_help = LAST_LINE)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Where the databases of both banks are: `sqlite` for a new temporary folder, `sqlite:FOLDER`, or a URL of PostgreSQL or MySQL. Two
    /// databases are made there; with a name in the URL they begin with it and stay, and the next run goes on where this one ended.
    #[arg(long, value_name = "WHERE", default_value = "sqlite", global = true)]
    pub(crate) database: String,
    /// The message broker, such as nats://127.0.0.1:4222; each needs the cargo feature of its name. [default: one inside this process]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) broker: Option<String>,
    /// How many transfers there are to be.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(i64).range(1..), global = true)]
    pub(crate) transfers: i64,
    /// How many transfers are requested at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=16), global = true)]
    pub(crate) concurrency: u16,
    /// Share of the transfers that go to an account which does not exist.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share, global = true)]
    pub(crate) unknown: f64,
    /// How long nothing may move before it gives up waiting for the last answer.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration, global = true)]
    pub(crate) patience: Duration,
    #[command(flatten)]
    pub(crate) conduct: Conduct,
}

const LAST_LINE: &str = "\
The last line counts everything in the databases, earlier runs included, except for the duplicates:
  transfers     transfers that were asked for
  total_before  cents on all accounts of both banks when they opened
  total_after   cents on them now
  completed     transfers that bank2 has taken
  rejected      transfers that bank2 could not take, because the account is unknown or closed; the money is back
  refused       transfers for which there was not enough money; nothing was sent
  duplicates    events that came again in this run; the inbox knew them, so they had no effect
  lost          transfers that have not ended, or of which a movement is missing";

/// How banks and broker behave.
#[derive(Clone, Debug, Args)]
pub(crate) struct Conduct {
    /// Share of the handlers' calls that fail after their work is done, so that it is undone and the event comes again.
    #[arg(long, value_name = "SHARE", default_value = "0.03", value_parser = share, global = true)]
    pub(crate) handler_failures: f64,
    /// Share of the in-process broker's calls that fail, one in ten of them because the whole broker is away.
    #[arg(long, value_name = "SHARE", default_value = "0.03", value_parser = share, global = true)]
    pub(crate) broker_failures: f64,
    /// Share of the events that the in-process broker takes, but whose acknowledgement is lost: they come again.
    #[arg(long, value_name = "SHARE", default_value = "0.02", value_parser = share, global = true)]
    pub(crate) lost_acks: f64,
    /// How long a delivery belongs to a process, and an event to a subscriber; after a crash it comes again at the latest then.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration, global = true)]
    pub(crate) lease: Duration,
    /// Seed of the transfers and of the failures.
    #[arg(long, default_value_t = 2026, global = true)]
    pub(crate) seed: u64,
}

/// One bank alone, in a process of its own. Both need the same `--database`, which has a name, and a `--broker`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Requests the transfers, and ends when all of them have ended.
    Bank1,
    /// Takes transfers until Ctrl-C.
    Bank2,
}

impl Command {
    pub(crate) fn role(self) -> Role {
        match self {
            Self::Bank1 => Role::Bank1,
            Self::Bank2 => Role::Bank2,
        }
    }
}

impl Arguments {
    pub(crate) fn plan(&self) -> Plan {
        Plan { seed: self.conduct.seed, unknown: self.unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn common_options_may_follow_the_command() {
        let arguments = Arguments::try_parse_from(["bank-transfer", "bank1", "--lease", "2s"]).expect("a valid line");
        assert_eq!(arguments.conduct.lease, Duration::from_secs(2));
        assert_eq!(arguments.command.map(Command::role), Some(Role::Bank1));
    }

    #[test]
    fn there_is_at_least_one_transfer() {
        assert!(Arguments::try_parse_from(["bank-transfer", "--transfers", "0"]).is_err());
    }
}
