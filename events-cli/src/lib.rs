#![doc = include_str!("lib.md")]

mod args;
mod commands;
mod config;
pub mod dashboard;
mod databases;
mod exit;
mod output;
mod query;
mod relay;
mod telemetry;
mod view;

use clap::Parser;
use exit::Exit;
use std::process::ExitCode;

/// The `outbox` command, with the arguments of this process. A program of your own that calls it, and links your events and handlers, has them
/// in `outbox catalog` and `outbox schema`:
///
/// ```no_run
/// // use my_handlers as _;
/// fn main() -> std::process::ExitCode {
///     events_cli::main()
/// }
/// ```
#[must_use]
pub fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors. Nobody may read what is printed.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    output::quietly_closed(commands::run(args))
}
