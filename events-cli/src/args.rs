//! The command line.

use crate::exit;
use clap::{ArgGroup, Args as Arguments, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Operates transactional outboxes: looks at what waits, deals with dead letters, relays to brokers, serves a dashboard.
#[derive(Debug, Parser)]
#[command(name = "outbox", version, after_long_help = exit::HELP, max_term_width = 120, propagate_version = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands take.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Global {
    /// A database: postgres://.., mysql://.. or sqlite:FILE, if you like with a name before it (shop=postgres://..). May be repeated; the
    /// environment variable may have several, separated by commas.
    #[arg(long, short = 'd', env = "DATABASE_URL", hide_env_values = true, value_name = "URL", global = true, value_delimiter = ',')]
    pub(crate) database_url: Vec<String>,
    /// The schema (PostgreSQL) or database (MySQL) of the outbox tables, where it is not that of the connection.
    #[arg(long, env = "OUTBOX_SCHEMA", value_name = "NAME", global = true)]
    pub(crate) schema: Option<String>,
    /// A file with databases, broker and dashboard; what the command line says goes first.
    #[arg(long, short = 'c', env = "OUTBOX_CONFIG", value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Only the database of this name. May be repeated.
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) only: Vec<String>,
    /// Print JSON: one document, or one line per row where rows come one by one.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Who does it, as the audit will say.
    #[arg(long, env = "OUTBOX_ACTOR", value_name = "NAME", global = true)]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create or upgrade the outbox tables, look at their version, or print the SQL.
    Migrate {
        #[command(subcommand)]
        action: Option<Migrate>,
    },
    /// How much waits, for whom, for how long, and how fast it goes.
    Status(Status),
    /// As `status`, again and again.
    Watch {
        #[command(flatten)]
        status: Status,
        /// How often it looks.
        #[arg(long, default_value = "2s", value_parser = duration)]
        every: Duration,
        /// Ends after so many looks.
        #[arg(long, value_name = "N")]
        times: Option<u64>,
    },
    /// List what waits, oldest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// Only what waits for this.
        #[arg(long, value_enum)]
        state: Option<State>,
        #[command(flatten)]
        page: Page,
    },
    /// Show everything that is known of one event, by its id or by that of one of its deliveries.
    Show {
        /// The id.
        event: uuid::Uuid,
    },
    /// Look at dead letters, redrive them, discard them.
    Dead {
        #[command(subcommand)]
        action: Dead,
    },
    /// See which keys dead letters block, and let them go on.
    Key {
        #[command(subcommand)]
        action: Key,
    },
    /// The processes of the outbox, and who leads.
    Processes,
    /// What people did.
    Audit {
        /// At most so many entries.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
    },
    /// Move deliveries to a broker, for programs that only publish. Handlers' deliveries are left to processes that have them.
    Relay(Relay),
    /// Serve the dashboard, metrics and health.
    Serve(Serve),
    /// Look for everything that is known to go wrong.
    Doctor {
        /// Also asks the broker of the configuration, or of --to.
        #[command(flatten)]
        broker: Broker,
    },
    /// Events, versions and handlers that are linked into this program.
    Catalog {
        /// What is printed.
        #[arg(long, value_enum, default_value_t = CatalogFormat::Table)]
        format: CatalogFormat,
        /// The title of an AsyncAPI document.
        #[arg(long, default_value = "events")]
        title: String,
    },
    /// Compare the linked events with a committed lock file.
    Schema {
        #[command(subcommand)]
        action: Schema,
    },
    /// Print completions for a shell.
    Completions {
        /// Which one.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command.
    Man {
        /// The folder to write them into.
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Create or upgrade the tables.
    Up,
    /// Compare their version with that of this program.
    Status,
    /// Print the SQL that creates them.
    Print,
}

#[derive(Clone, Debug, Arguments)]
pub(crate) struct Status {
    /// To how many deliveries of each target and state it counts.
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    pub(crate) count_to: u32,
}

/// Which events or dead letters.
#[derive(Clone, Debug, Default, Arguments)]
pub(crate) struct Filter {
    /// Only this delivery.
    #[arg(long, value_name = "UUID")]
    pub(crate) id: Option<uuid::Uuid>,
    /// Only this event's.
    #[arg(long, value_name = "UUID")]
    pub(crate) event: Option<uuid::Uuid>,
    /// Only this topic's.
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Only this target's: a handler's name, or transport: and a transport's name.
    #[arg(long, visible_alias = "handler")]
    pub(crate) target: Option<String>,
    /// Only this key's.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Only those whose last error contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
    /// Only since this time (2026-11-22T08:00:00Z) or for so long (2h): published, or died.
    #[arg(long, value_name = "TIME", value_parser = time_or_age)]
    pub(crate) since: Option<time::OffsetDateTime>,
    /// Only until then.
    #[arg(long, value_name = "TIME", value_parser = time_or_age)]
    pub(crate) until: Option<time::OffsetDateTime>,
}

#[derive(Clone, Debug, Arguments)]
pub(crate) struct Page {
    /// At most so many.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Where to go on, as the last line of the page before says.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<events_sqlx::Cursor>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum State {
    /// For a process to take it.
    Due,
    /// For the process that has it.
    Leased,
    /// For its delay or its next attempt.
    Later,
    /// For an earlier one of its key.
    Key,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List dead letters, those first that died last.
    List {
        #[command(flatten)]
        filter: DeadFilter,
        #[command(flatten)]
        page: Page,
    },
    /// Show one dead letter, with its history.
    Show {
        /// Its id.
        id: uuid::Uuid,
    },
    /// Put dead letters back into the outbox, with fresh attempts.
    Redrive(Act),
    /// Delete dead letters for good.
    Discard(Act),
}

#[derive(Clone, Debug, Arguments)]
pub(crate) struct DeadFilter {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Only those that died for this: exhausted, terminal, undecodable, abandoned or interrupted.
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

/// What is done to dead letters, and to which.
#[derive(Clone, Debug, Arguments)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["all", "id", "event", "topic", "target", "key", "error", "since", "until", "reason"]))]
pub(crate) struct Act {
    #[command(flatten)]
    pub(crate) filter: DeadFilter,
    /// All of them.
    #[arg(long)]
    pub(crate) all: bool,
    /// Only say which ones it would be.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// The keys that dead letters block, longest blocked first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: u32,
    },
    /// Let what waits for a key go on: redrive the dead letters before it, discard them, or pass them.
    Unblock {
        /// The key.
        key: String,
        /// Only on the way to this target.
        #[arg(long, visible_alias = "handler")]
        target: Option<String>,
        /// What becomes of the dead letters.
        #[arg(long, value_enum, default_value_t = Unblock::Redrive)]
        by: Unblock,
        /// Only say which ones it would be.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask.
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Unblock {
    /// They are tried again first: the order is kept.
    Redrive,
    /// They are deleted.
    Discard,
    /// They stay, and what is behind them passes: the order is given up.
    Pass,
}

/// A broker.
#[derive(Clone, Debug, Default, Arguments)]
pub(crate) struct Broker {
    /// The broker: nats://.., amqp://.., kafka://.., redis://.., rocketmq://.. or https://.. (a webhook).
    #[arg(long, env = "OUTBOX_BROKER", hide_env_values = true, value_name = "URL")]
    pub(crate) to: Option<String>,
    /// The transport's name, if the publishers gave it another than the broker's own.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where events go: a stream (NATS, Redis), an exchange (RabbitMQ), a topic (RocketMQ).
    #[arg(long, value_name = "NAME")]
    pub(crate) destination: Option<String>,
}

#[derive(Debug, Arguments)]
pub(crate) struct Relay {
    #[command(flatten)]
    pub(crate) broker: Broker,
    /// Where metrics and health are served; nowhere if it is not said.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// How long a lease lasts: after a SIGKILL another relay goes on within this time.
    #[arg(long, value_parser = duration)]
    pub(crate) lease: Option<Duration>,
    /// How often the table is looked at when nothing wakes the relay.
    #[arg(long, value_parser = duration)]
    pub(crate) poll: Option<Duration>,
    /// How long deliveries may finish after SIGTERM.
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// All relays scan at once, instead of one that leads and others that stand by.
    #[arg(long)]
    pub(crate) share: bool,
}

#[derive(Debug, Arguments)]
pub(crate) struct Serve {
    /// Where. Any address but one of this machine needs a token or a password.
    #[arg(long, default_value = "127.0.0.1:8180", env = "OUTBOX_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Who asks must send it: `Authorization: Bearer TOKEN`, or once in the login form. At least 16 characters.
    #[arg(long, env = "OUTBOX_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Who asks must know it: basic authentication.
    #[arg(long, env = "OUTBOX_BASIC_AUTH", hide_env_values = true, value_name = "USER:PASSWORD")]
    pub(crate) basic_auth: Option<String>,
    /// Only for looking: nobody can redrive or discard.
    #[arg(long)]
    pub(crate) read_only: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CatalogFormat {
    /// For people.
    Table,
    /// The catalogue as JSON, with a JSON Schema of each payload.
    Json,
    /// An AsyncAPI 3 document, as JSON.
    Asyncapi,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Fails if events have changed in a way that breaks those that wait or those who read them.
    Check {
        /// The lock file.
        #[arg(long, default_value = "events.lock", value_name = "FILE")]
        lock: PathBuf,
    },
    /// Write the lock file anew, to be committed.
    Lock {
        /// The lock file.
        #[arg(long, default_value = "events.lock", value_name = "FILE")]
        lock: PathBuf,
        /// Even if something breaks.
        #[arg(long)]
        force: bool,
    },
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; say it as `500ms`, `30s` or `2h`"))
}

fn time_or_age(text: &str) -> Result<time::OffsetDateTime, String> {
    crate::query::time_or_age(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn letters_are_not_redriven_without_saying_which() {
        assert!(Args::try_parse_from(["outbox", "dead", "redrive", "--yes"]).is_err());
        assert!(Args::try_parse_from(["outbox", "dead", "redrive", "--all"]).is_ok());
        assert!(Args::try_parse_from(["outbox", "dead", "discard", "--handler", "issue_ticket", "--since", "2h"]).is_ok());
    }
}
