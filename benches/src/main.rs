//! Benchmarks of the outbox. Absolute figures mean little on a shared machine, so every figure stands beside that of the bare business
//! transaction and that of a floor: what a careful engineer would write by hand with sqlx, measured in the same run, in turns.

mod command;
mod scale;
mod events;
mod system;
mod database;
mod floor;
mod process;
mod meter;
mod sample;
mod rounds;
mod variant;
mod publisher;
mod load;
mod backlog;
mod child;
mod worker;
mod peer;
mod cases;
mod record;
mod target;
mod table;
mod plot;

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    command::Command::parse().run().await
}
