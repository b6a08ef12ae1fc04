//! Benchmarks of the outbox. Absolute figures mean little on a shared machine, so every figure stands beside that of a floor: what a
//! careful engineer would write by hand with sqlx, measured in the same run, in turns.

mod command;
mod scale;
mod events;
mod database;
mod floor;
mod process;
mod sample;
mod rounds;
mod cases;
mod record;
mod verdict;
mod table;

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    command::Command::parse().run().await
}
