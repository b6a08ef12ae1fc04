//! The command line.

use clap::{Args, Parser};
use std::time::Duration;
use wire::{duration, share};

/// Takes orders from a shop to a warehouse with a message table, while the broker refuses events, loses events, and brings events twice.
///
/// The last line is `orders=.. done=.. rolled_back=.. duplicates=.. lost=..`. The exit code is 1 if a check failed.
#[derive(Debug, Parser)]
#[command(name = "message-table", version, after_long_help = LAST_LINE)]
pub(crate) struct Arguments {
    /// How many orders there are.
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) orders: u32,
    /// How many orders are placed at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub(crate) concurrency: u16,
    /// Share of the orders that are sent inside their transaction, or rolled back.
    #[arg(long, value_name = "SHARE", default_value = "0.25", value_parser = share)]
    pub(crate) express: f64,
    /// Share of the orders that are placed a second time under their number.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share)]
    pub(crate) twice: f64,
    /// How long nothing may move before it gives up waiting for the last order.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) patience: Duration,
    #[command(flatten)]
    pub(crate) conduct: Conduct,
}

const LAST_LINE: &str = "\
  orders       orders that customers wanted
  done         orders that the warehouse has packed, and the shop knows it
  rolled_back  orders that the broker did not take in three tries, so that there is no such order
  duplicates   events that came to a service again, and orders that came to the warehouse again; none had an effect twice
  lost         orders that were placed and are not done";

/// How services and broker behave.
#[derive(Clone, Debug, Args)]
pub(crate) struct Conduct {
    /// After how long an order that is not done is driven again.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub(crate) overdue: Duration,
    /// Share of the handlers' calls that fail after their work is done, so that it is undone and the event comes again.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share)]
    pub(crate) handler_failures: f64,
    /// Share of the broker's calls that fail.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share)]
    pub(crate) broker_failures: f64,
    /// Share of the events that the broker takes, but whose confirmation is lost: they come again.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share)]
    pub(crate) lost_acks: f64,
    /// Share of the events that the broker confirms and then loses: only the message table can notice that.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share)]
    pub(crate) lost_events: f64,
    /// Share of the calls that fail where an order is sent inside its transaction; after three of them it is rolled back.
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share)]
    pub(crate) express_failures: f64,
    /// Seed of the orders and of the failures.
    #[arg(long, default_value_t = 1987)]
    pub(crate) seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        assert!(Arguments::try_parse_from(["message-table", "--express", "2"]).is_err());
    }
}
