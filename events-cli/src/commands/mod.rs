//! The commands, one file each.

mod audit;
mod catalog;
mod dead;
mod doctor;
mod key;
mod list;
mod migrate;
mod processes;
mod shell;
mod show;
mod status;

use crate::args::{Args, Command};
use crate::exit::Exit;
use crate::{dashboard, databases, relay};
use anyhow::Context;

/// Runs a command.
pub(crate) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { global, command } = args;
    // What needs no database needs no runtime either.
    match command {
        Command::Completions { shell } => return shell::completions(shell),
        Command::Man { folder } => return shell::man(folder.as_deref()),
        Command::Catalog { format, title } => return catalog::print(format, &title, global.json),
        Command::Schema { action } => return catalog::schema(&action, global.json),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        match command {
            Command::Relay(relay) => return relay::run(&global, &relay).await,
            Command::Serve(serve) => return dashboard::serve(&global, &serve).await,
            _ => crate::telemetry::log_warnings(),
        }
        let databases = databases::connect(&global).await?;
        match command {
            Command::Migrate { action } => migrate::run(&databases, action, &global).await,
            Command::Status(options) => status::once(&databases, &options, &global).await,
            Command::Watch { status, every, times } => status::watch(&databases, &status, (every, times), &global).await,
            Command::List { filter, state, page } => list::run(&databases, &filter, state, &page, &global).await,
            Command::Show { event } => show::run(&databases, event, &global).await,
            Command::Dead { action } => dead::run(&databases, action, &global).await,
            Command::Key { action } => key::run(&databases, action, &global).await,
            Command::Processes => processes::run(&databases, &global).await,
            Command::Audit { limit } => audit::run(&databases, limit, &global).await,
            Command::Doctor { broker } => doctor::run(&databases, &broker, &global).await,
            Command::Completions { .. }
            | Command::Man { .. }
            | Command::Catalog { .. }
            | Command::Schema { .. }
            | Command::Relay(_)
            | Command::Serve(_) => Ok(Exit::Ok),
        }
    })
}

/// The name of a database, where there are several.
fn title(databases: &[databases::Database], database: &databases::Database) -> Option<String> {
    (databases.len() > 1).then(|| database.name.clone())
}

/// Says which database the next lines are about, where there are several.
fn announce(databases: &[databases::Database], database: &databases::Database) -> std::io::Result<()> {
    match title(databases, database) {
        Some(name) => crate::output::line(format!("# {name}")),
        None => Ok(()),
    }
}
