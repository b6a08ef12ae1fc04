//! `outbox audit`.

use super::{announce, title};
use crate::args::Global;
use crate::databases::Database;
use crate::exit::Exit;
use crate::output::{self, Table, moment, short};
use serde_json::{Value, json};

pub(crate) async fn run(databases: &[Database], limit: u32, global: &Global) -> anyhow::Result<Exit> {
    for database in databases {
        let entries = database.console.audit(None, limit).await?;
        if global.json {
            for entry in &entries {
                let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
                let at = entry.at.unix_timestamp();
                output::json_row(&json!({
                    "database": title(databases, database), "id": entry.id, "at": at, "actor": entry.actor, "action": entry.action, "detail": detail,
                }))?;
            }
            continue;
        }
        announce(databases, database)?;
        let mut table = Table::new(&["when", "who", "what", "to what"]);
        for entry in entries {
            table.row([moment(entry.at), entry.actor, entry.action, short(&entry.detail, 100)]);
        }
        table.print_or("nobody has done anything yet")?;
    }
    Ok(Exit::Ok)
}
