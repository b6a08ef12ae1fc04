//! An order service with an outbox. Without a command it replays 830 real orders and audits the result; `serve` starts its HTTP API.

// What comes in: a command line or a request.
mod arguments;
mod http;
mod problem;

// What becomes of it: a change in the tables and an event, or neither.
mod bank;
mod clock;
mod credit;
mod events;
mod money;
mod order;
mod orders;
mod password;
mod status;
mod users;
mod view;
mod deliveries;

// What events cause: handlers in this process, and a second service behind a broker.
mod declined;
mod letters;
mod receipts;
mod shop;
mod ticketing;
mod tickets;
mod timeline;

// What proves it: the past, lived again and audited.
mod audit;
mod books;
mod latency;
mod northwind;
mod replay;
mod report;
mod table;

use arguments::{Arguments, Command, ReplayArguments, ShopArguments};
use clap::Parser;
use report::Report;
use shop::Shop;
use std::{
    io::IsTerminal,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;
use wire::Failures;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        Some(Command::Serve { port, host }) => serve(&arguments.shop, host, port).await,
        None => replay(&arguments.shop, &arguments.replay).await,
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {}", explain(&error));
        ExitCode::FAILURE
    })
}

/// Replays the past, waits until everything is delivered, and says what came of it.
async fn replay(arguments: &ShopArguments, options: &ReplayArguments) -> anyhow::Result<ExitCode> {
    // Failures are the point here, so the many warnings of retries are left out unless RUST_LOG asks for them.
    log("error");
    let database = shop::database(arguments)?;
    let earlier_run = database.exists();
    println!("database  {}", database.display());

    let mut past = northwind::orders()?;
    past.truncate(options.orders);
    let began = clock::now();
    let shop = Shop::open(&database, arguments, failures(arguments, 0.1)).await?;
    let tally = replay::run(&shop, &past, options, arguments.seed).await?;
    shop.outbox.shutdown().await;
    let report = Report::of(&shop, &past, &tally, began, earlier_run).await?;
    shop.close().await;
    println!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Serves the HTTP API until Ctrl-C.
async fn serve(arguments: &ShopArguments, host: IpAddr, port: u16) -> anyhow::Result<ExitCode> {
    log("info");
    let database = shop::database(arguments)?;
    println!("database  {}", database.display());
    let shop = Shop::open(&database, arguments, failures(arguments, 0.0)).await?;
    let served = http::serve(SocketAddr::new(host, port), &shop).await;
    shop.close().await;
    served.map(|()| ExitCode::SUCCESS)
}

fn failures(arguments: &ShopArguments, share: f64) -> Failures {
    // A broker outside has failures of its own.
    let share = if arguments.broker.is_some() { 0.0 } else { share };
    Failures { share: arguments.broker_failures.unwrap_or(share), lost_acks: arguments.lost_acks, seed: arguments.seed }
}

/// The error and its causes in one line. Many errors print their cause already; saying it twice helps nobody.
fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match &*told {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}

fn log(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).init();
}
