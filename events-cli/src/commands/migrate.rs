//! `outbox migrate`.

use super::announce;
use crate::args::{Global, Migrate};
use crate::databases::Database;
use crate::exit::Exit;
use crate::output;
use serde_json::json;

pub(crate) async fn run(databases: &[Database], action: Option<Migrate>, global: &Global) -> anyhow::Result<Exit> {
    let mut exit = Exit::Ok;
    for database in databases {
        let console = &database.console;
        match action.as_ref().unwrap_or(&Migrate::Up) {
            Migrate::Up => {
                let before = console.schema_version().await?.found;
                let version = console.migrate().await?;
                if global.json {
                    output::json_row(&json!({ "database": database.name, "before": before, "version": version }))?;
                } else if before == version {
                    output::line(format!("{}: the tables have version {version} already", database.name))?;
                } else {
                    output::line(format!("{}: the tables have version {version} now (before: {before})", database.name))?;
                }
            }
            Migrate::Status => {
                let version = console.schema_version().await?;
                if version.found != version.known {
                    exit = Exit::Failed;
                }
                if global.json {
                    output::json_row(&json!({ "database": database.name, "found": version.found, "known": version.known }))?;
                } else {
                    let text = match version.found.cmp(&version.known) {
                        std::cmp::Ordering::Equal => "up to date".to_owned(),
                        _ if version.found == 0 => "there are no outbox tables; `outbox migrate up` creates them".to_owned(),
                        std::cmp::Ordering::Less => format!("this program writes {}; `outbox migrate up` upgrades them", version.known),
                        std::cmp::Ordering::Greater => format!("this program only knows {}; use a newer one", version.known),
                    };
                    output::line(format!("{}: {}, version {}: {text}", database.name, console.system(), version.found))?;
                }
            }
            Migrate::Print => {
                announce(databases, database)?;
                output::line(console.migrations_as_sql())?;
            }
        }
    }
    Ok(exit)
}
