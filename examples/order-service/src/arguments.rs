//! The command line.

use clap::{Args, Parser, Subcommand};
use std::{net::IpAddr, path::PathBuf, time::Duration};
use wire::{duration, share};

/// Places, pays and ships 830 real orders while the message broker misbehaves, and checks that no event is lost, invented or out
/// of order.
///
/// Every order goes through the same code as with the HTTP API. A share of the payments is declined and rolled back, a share of
/// the broker's calls fails. When everything is delivered, a table says what happened, and the last line is
/// `orders=.. events=.. delivered=.. duplicates=.. lost=.. dead=..`. The exit code is 1 if a check failed.
#[derive(Debug, Parser)]
#[command(name = "order-service", version, after_long_help = LAST_LINE)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) shop: ShopArguments,
    #[command(flatten)]
    pub(crate) replay: ReplayArguments,
}

const LAST_LINE: &str = "\
The last line counts everything in the database, earlier runs included:
  orders      orders placed
  events      events that were committed, by the business tables: one for each order placed, paid, shipped or cancelled, and one
              for each ticket issued
  delivered   events that reached every one of their targets
  duplicates  deliveries beyond the first of an event to a target; expected only where a delivery was under way when the process
              was killed or lost its lease, or where an acknowledgement was lost (--lost-acks)
  lost        events that did not reach one of their targets
  dead        deliveries in the dead letters";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves the HTTP API until Ctrl-C.
    Serve {
        /// Port to listen on; 0 takes a free one.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1")]
        host: IpAddr,
    },
}

/// What both commands need.
#[derive(Debug, Args)]
pub(crate) struct ShopArguments {
    /// The shop's database, created if it is missing; a second run goes on where the first one ended. [default: a new temporary folder]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) database: Option<PathBuf>,
    /// How long a delivery belongs to this process; after a crash it is delivered again at the latest then.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration, global = true)]
    pub(crate) lease: Duration,
    /// The message broker, such as nats://127.0.0.1:4222; each needs the cargo feature of its name. [default: one inside this process]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) broker: Option<String>,
    /// Share of the broker's calls that fail, one in ten of them because the whole broker is away. [default: 0.1, with `serve` or
    /// `--broker` 0]
    #[arg(long, value_name = "SHARE", value_parser = share, global = true)]
    pub(crate) broker_failures: Option<f64>,
    /// Share of the events that the broker takes, but whose acknowledgement is lost on the way back: they are sent twice.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share, global = true)]
    pub(crate) lost_acks: f64,
    /// Seed of the failures and of the declined payments.
    #[arg(long, default_value_t = 1996, global = true)]
    pub(crate) seed: u64,
}

/// What only the replay needs.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// How many of the 830 orders to replay.
    #[arg(long, value_name = "N", default_value_t = 830)]
    pub(crate) orders: usize,
    /// How many orders to replay at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub(crate) concurrency: u16,
    /// Share of the orders whose first payment is declined, and rolled back.
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share)]
    pub(crate) decline: f64,
    /// How long to wait for the last delivery after the last order.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) deadline: Duration,
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
        let arguments = Arguments::try_parse_from(["order-service", "serve", "--port", "0", "--lease", "2s"]).expect("a valid line");
        assert_eq!(arguments.shop.lease, Duration::from_secs(2));
        assert!(matches!(arguments.command, Some(Command::Serve { port: 0, .. })));
    }
}
