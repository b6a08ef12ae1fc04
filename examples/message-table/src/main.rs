//! The message table: orders that go from a shop to a warehouse, each with a row that says how far it has come, driven again until it is done.

// What is known before the first order.
mod arguments;
mod status;
mod events;

// The shop: an order, its row, its events; and what happens to them.
mod message;
mod orders;
mod express;
mod marking;
mod upstream;

// The other side, and what is in between.
mod lossy;
mod downstream;
mod services;

// What proves it.
mod customers;
mod books;
mod audit;
mod report;

use anyhow::Context;
use arguments::Arguments;
use clap::Parser;
use report::Report;
use services::Services;
use std::{io::IsTerminal, process::ExitCode, time::Instant};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Failures are the point here, so the many warnings of retries are left out unless RUST_LOG asks for them.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).init();
    run(&arguments).await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Places all orders, waits until they are done, and says what came of it.
async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("message-table-").tempdir().context("creating a temporary folder")?.keep();
    println!("databases  upstream.db and downstream.db in {}", folder.display());
    let services = Services::open(&folder, &arguments.conduct).await?;
    let begun = Instant::now();
    let tally = customers::place_orders(arguments).await?;
    let placed = begun.elapsed().as_secs_f64();
    customers::finish(&services, arguments.patience).await?;
    println!("orders     placed in {placed:.1} s; the last one was done {:.1} s later\n", begun.elapsed().as_secs_f64() - placed);

    // What is audited stands still.
    for service in services.both() {
        service.outbox.shutdown().await;
    }
    let report = Report::of(&services, &tally).await?;
    for service in services.both() {
        service.pool.close().await;
    }
    println!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
