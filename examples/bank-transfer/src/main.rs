//! Money on its way from one bank to another. Without a command both banks are in this process, and the result is audited.

// What is known before the first transfer.
mod arguments;
mod role;
mod site;
mod plan;

// What becomes of a transfer: movements in both banks, and the events between them.
mod database;
mod account;
mod transfer;
mod events;
mod bank1;
mod bank2;
mod bank;
mod traffic;

// What proves it.
mod books;
mod audit;
mod report;

use anyhow::{Context, ensure};
use arguments::{Arguments, Command};
use bank::Bank;
use clap::Parser;
use database::Database;
use report::Report;
use role::Role;
use site::{AnySite, Site};
use std::{io::IsTerminal, process::ExitCode, time::Instant};
use tracing_subscriber::EnvFilter;
use wire::Broker;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Failures are the point here, so the many warnings of retries are left out unless RUST_LOG asks for them.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).init();
    run(&arguments).await.unwrap_or_else(|error| {
        eprintln!("error: {}", explain(&error));
        ExitCode::FAILURE
    })
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match AnySite::of(&arguments.database)? {
        AnySite::Sqlite(site) => run_at(&site, arguments).await,
        AnySite::Postgres(site) => run_at(&site, arguments).await,
        AnySite::MySql(site) => run_at(&site, arguments).await,
    }
}

async fn run_at<D: Database>(site: &Site<D>, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let broker = Broker::of(arguments.broker.as_deref(), env!("CARGO_PKG_NAME")).ack_wait(arguments.conduct.lease);
    match arguments.command {
        None => both(site, &broker, arguments).await,
        Some(command) => {
            ensure!(
                broker.is_outside(),
                "one bank alone cannot reach the other one; name the broker of both, such as `--broker nats://127.0.0.1:4222`"
            );
            ensure!(
                !site.is_temporary,
                "the databases must have a name that the next process finds; say `--database sqlite:FOLDER`, or name one in the URL"
            );
            alone(command, site, &broker, arguments).await
        }
    }
}

/// Makes all transfers, waits until they have ended, and says what came of it.
async fn both<D: Database>(site: &Site<D>, broker: &Broker, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    println!("databases  {}", site.place);
    let bank2 = Bank::open(Role::Bank2, site, broker, &arguments.conduct).await?;
    let bank1 = Bank::open(Role::Bank1, site, broker, &arguments.conduct).await?;
    let begun = Instant::now();
    let made = traffic::make(&bank1, arguments.plan(), arguments.transfers, arguments.concurrency).await?;
    let requested = begun.elapsed().as_secs_f64();
    traffic::finish(&[&bank1, &bank2], arguments.patience).await?;
    let ended = begun.elapsed().as_secs_f64() - requested;
    println!("transfers  {made} requested in {requested:.1} s; the last answer came {ended:.1} s later");

    // What is audited stands still.
    bank1.outbox.shutdown().await;
    bank2.outbox.shutdown().await;
    let report = Report::of(&bank1, &bank2, arguments.transfers).await?;
    bank1.close().await;
    bank2.close().await;
    if report.is_clean() {
        site.clear().await.context("removing the databases of this run")?;
    }
    println!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one bank.
async fn alone<D: Database>(command: Command, site: &Site<D>, broker: &Broker, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let bank = Bank::open(command.role(), site, broker, &arguments.conduct).await?;
    println!("{} is open: {}", command.role().as_str(), site.place);
    let is_done = match command {
        Command::Bank1 => {
            traffic::make(&bank, arguments.plan(), arguments.transfers, arguments.concurrency).await?;
            traffic::finish(&[&bank], arguments.patience).await?
        }
        Command::Bank2 => tokio::signal::ctrl_c().await.map(|()| true).context("listening for Ctrl-C")?,
    };
    bank.close().await;
    ensure!(is_done, "nothing has moved for {:?}, and transfers still wait for their answers; does bank2 run?", arguments.patience);
    Ok(ExitCode::SUCCESS)
}

/// The error and its causes in one line. Many errors print their cause already; saying it twice helps nobody.
fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match &*told {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}
