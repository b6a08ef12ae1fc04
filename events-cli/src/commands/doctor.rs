//! `outbox doctor`.

use super::announce;
use crate::args::{Broker, Global};
use crate::config::Config;
use crate::databases::Database;
use crate::exit::Exit;
use crate::output::{self, Table};
use crate::relay::broker::{self, Away};
use events_sqlx::{Finding, Level};
use serde_json::json;
use std::time::Duration;

/// How long a database or broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(databases: &[Database], given: &Broker, global: &Global) -> anyhow::Result<Exit> {
    let mut worst = Exit::Ok;
    for database in databases {
        let findings = match tokio::time::timeout(PATIENCE, database.console.doctor()).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) => {
                worst = worse(worst, Exit::Unknown);
                vec![Finding::new("database", Level::Critical, output::sentence(&error.into()))]
            }
            Err(_) => {
                worst = worse(worst, Exit::Unknown);
                vec![Finding::new("database", Level::Critical, format!("no answer within {} s", PATIENCE.as_secs()))]
            }
        };
        worst = report(databases, database, &findings, global)?.map_or(worst, |exit| worse(worst, exit));
    }
    let config = Config::read(global.config.as_deref())?;
    if let Some(plan) = broker::plan(given, config.broker.as_ref())? {
        let finding = match tokio::time::timeout(PATIENCE, broker::connect(&plan, Away::IsAnError)).await {
            Ok(Ok(_)) => Finding::new("broker", Level::Ok, format!("{} answers", plan.shown())),
            Ok(Err(error)) => Finding::new("broker", Level::Critical, format!("{}: {}", plan.shown(), output::sentence(&error))),
            Err(_) => Finding::new("broker", Level::Critical, format!("{} does not answer within {} s", plan.shown(), PATIENCE.as_secs())),
        };
        if finding.level != Level::Ok {
            worst = worse(worst, Exit::Unknown);
        }
        if global.json { output::json_row(&json!({ "broker": finding }))? } else { print(&[finding])? }
    }
    Ok(worst)
}

/// Prints the findings; returns how bad they are.
fn report(databases: &[Database], database: &Database, findings: &[Finding], global: &Global) -> anyhow::Result<Option<Exit>> {
    if global.json {
        output::json_row(&json!({ "database": database.name, "findings": findings }))?;
    } else {
        announce(databases, database)?;
        print(findings)?;
    }
    Ok(findings.iter().map(|finding| finding.level).max().map(|level| match level {
        Level::Ok => Exit::Ok,
        Level::Warning => Exit::Failed,
        Level::Critical => Exit::Usage,
    }))
}

fn print(findings: &[Finding]) -> std::io::Result<()> {
    let mut table = Table::new(&["", "check", "found"]);
    for finding in findings {
        let mark = match finding.level {
            Level::Ok => "ok",
            Level::Warning => "WARNING",
            Level::Critical => "CRITICAL",
        };
        table.row([mark.to_owned(), finding.check.clone(), finding.text.clone()]);
    }
    table.lines().into_iter().skip(1).try_for_each(output::line)
}

/// Unknown counts for more than critical: nobody knows how bad it is.
fn worse(one: Exit, other: Exit) -> Exit {
    if other as u8 > one as u8 { other } else { one }
}
