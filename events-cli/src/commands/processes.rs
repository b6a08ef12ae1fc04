//! `outbox processes`.

use super::{announce, title};
use crate::args::Global;
use crate::databases::Database;
use crate::exit::Exit;
use crate::output::{self, Table, grouped, moment, span};
use serde_json::json;

pub(crate) async fn run(databases: &[Database], global: &Global) -> anyhow::Result<Exit> {
    for database in databases {
        let (processes, leads) = (database.console.processes().await?, database.console.leads().await?);
        if global.json {
            output::json_row(&json!({ "database": title(databases, database), "processes": processes, "leads": leads }))?;
            continue;
        }
        announce(databases, database)?;
        let mut table = Table::new(&["process", "since", "seen", "in memory", "delivered", "dead", "leads", "targets"]);
        for process in processes {
            let report = &process.report;
            let led: Vec<&str> =
                leads.iter().filter(|lead| lead.owner == process.owner && lead.expires_in.is_some()).map(|lead| &*lead.name).collect();
            table.row([
                process.owner.clone(),
                moment(process.started_at),
                format!("{} ago", span(process.seen_ago)),
                grouped(report.in_flight as u64),
                grouped(report.stats.delivered_from_memory + report.stats.delivered_by_scanner),
                grouped(report.stats.dead),
                if led.is_empty() { "-".into() } else { led.join(", ") },
                if report.publish_only { "only publishes".into() } else { report.targets.join(", ") },
            ]);
        }
        table.print_or("no process was seen within the last hour")?;
    }
    Ok(Exit::Ok)
}
