//! `outbox dead`.

use super::{announce, show, title};
use crate::args::{Act, Dead, DeadFilter, Global, Page};
use crate::databases::{self, Database};
use crate::exit::Exit;
use crate::output::{self, Table, grouped, moment, short};
use crate::view::{self, Row};
use anyhow::bail;
use events_core::DeliveryId;
use events_sqlx::{Filter, Order, Request};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{self, BufRead, IsTerminal, Write};

/// So many dead letters a dry run names.
const NAMED: u32 = 10;

pub(crate) async fn run(databases: &[Database], action: Dead, global: &Global) -> anyhow::Result<Exit> {
    match action {
        Dead::List { filter, page } => list(databases, &filter, &page, global).await,
        Dead::Show { id } => one(databases, DeliveryId(id), global).await,
        Dead::Redrive(act) => act_on(databases, Request::Redrive, &act, global).await,
        Dead::Discard(act) => act_on(databases, Request::Discard, &act, global).await,
    }
}

async fn list(databases: &[Database], filter: &DeadFilter, page: &Page, global: &Global) -> anyhow::Result<Exit> {
    if databases.len() > 1 && page.after.is_some() {
        bail!("`--after` goes on in one database; name it with `--only`");
    }
    let filter = filter.filter().limit(page.limit);
    for database in databases {
        let mut found = database.console.dead(&filter, Order::NewestFirst, page.after).await?;
        while let (true, Some(next)) = (found.rows.is_empty(), found.next) {
            found = database.console.dead(&filter, Order::NewestFirst, Some(next)).await?;
        }
        if global.json {
            for letter in &found.rows {
                output::json_row(&Row { database: title(databases, database), ..Row::dead(letter) })?;
            }
        } else {
            announce(databases, database)?;
            table(found.rows.iter().map(Row::dead))?;
            if let Some(next) = found.next {
                output::line(format!("\nthere may be more: add `--after {next}`"))?;
            }
        }
    }
    Ok(Exit::Ok)
}

fn table(rows: impl Iterator<Item = Row>) -> anyhow::Result<()> {
    let mut table = Table::new(&["dead letter", "target", "topic", "key", "died", "reason", "attempts", "last error"]);
    for row in rows {
        table.row([
            row.id.clone(),
            row.target.clone(),
            row.topic.clone().unwrap_or_else(|| "?".into()),
            row.key.clone().map_or_else(|| "-".into(), |key| if row.blocks_key { format!("{key} (blocked)") } else { key }),
            row.at.map_or_else(|| "?".into(), moment),
            row.reason.clone().unwrap_or_default(),
            row.attempts.to_string(),
            short(row.last_error(), 60),
        ]);
    }
    table.print_or("no dead letter is meant")?;
    Ok(())
}

async fn one(databases: &[Database], id: DeliveryId, global: &Global) -> anyhow::Result<Exit> {
    for database in databases {
        let found = database.console.dead(&Filter::id(id), Order::OldestFirst, None).await?;
        let Some(letter) = found.rows.first() else { continue };
        let row = Row::dead(letter).with_payload(letter.envelope.as_ref());
        if global.json {
            output::json(&Row { database: title(databases, database), ..row })?;
        } else {
            announce(databases, database)?;
            show::delivery(&row)?;
            if let Ok(envelope) = &letter.envelope {
                output::line(format!("  payload: {}", serde_json::to_string_pretty(&view::payload(envelope))?.replace('\n', "\n  ")))?;
            }
        }
        return Ok(Exit::Ok);
    }
    if !global.json {
        eprintln!("outbox: there is no dead letter {id}");
    }
    Ok(Exit::NotFound)
}

async fn act_on(databases: &[Database], request: Request, act: &Act, global: &Global) -> anyhow::Result<Exit> {
    let filter = act.filter.filter();
    let mut meant = Vec::new();
    for database in databases {
        meant.push(database.console.count_dead(&filter).await?);
    }
    let all: u64 = meant.iter().sum();
    if act.dry_run {
        for (database, many) in databases.iter().zip(&meant) {
            if global.json {
                output::json_row(&json!({ "database": database.name, "would": request.as_str(), "letters": many }))?;
                continue;
            }
            announce(databases, database)?;
            output::line(format!("would {} {}", request.as_str(), letters(*many)))?;
            if *many > 0 {
                let some = database.console.dead(&filter.clone().limit(NAMED), Order::OldestFirst, None).await?;
                table(some.rows.iter().map(Row::dead))?;
            }
        }
        return Ok(Exit::Ok);
    }
    if all == 0 {
        if !global.json {
            eprintln!("outbox: no dead letter is meant");
        }
        return Ok(Exit::NotFound);
    }
    if !act.yes && !confirmed(&format!("{} {}?", request.as_str(), letters(all)))? {
        return Ok(Exit::NotConfirmed);
    }
    let actor = databases::actor(global);
    for (database, many) in databases.iter().zip(meant).filter(|(_, many)| *many > 0) {
        let bar = bar(many, request, global);
        let done = database.console.act_on_all(request, &filter, &actor, &mut |done| bar.set_position(done)).await;
        bar.finish_and_clear();
        let done = done?;
        if global.json {
            output::json_row(&json!({ "database": database.name, "did": request.as_str(), "letters": done }))?;
        } else {
            announce(databases, database)?;
            output::line(match request {
                Request::Discard => format!("discarded {}", letters(done)),
                _ => format!("redrove {}", letters(done)),
            })?;
        }
    }
    Ok(Exit::Ok)
}

pub(crate) fn letters(many: u64) -> String {
    if many == 1 { "1 dead letter".to_owned() } else { format!("{} dead letters", grouped(many)) }
}

/// A bar where a person reads it.
fn bar(many: u64, request: Request, global: &Global) -> ProgressBar {
    if global.json || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} ({per_sec}, {eta} left)");
    let bar = ProgressBar::new(many).with_message(request.as_str());
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Asks a person; where there is none, the answer is no.
pub(crate) fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        eprintln!("outbox: {question} Nobody can be asked here: say `--yes`, or look first with `--dry-run`");
        return Ok(false);
    }
    let mut stderr = io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if !yes {
        eprintln!("outbox: nothing was done");
    }
    Ok(yes)
}
