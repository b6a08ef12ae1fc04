//! `outbox key`.

use super::{announce, dead, title};
use crate::args::{Global, Key, Unblock};
use crate::databases::{self, Database};
use crate::exit::Exit;
use crate::output::{self, Table, grouped, moment};
use events_sqlx::Request;
use serde_json::json;

pub(crate) async fn run(databases: &[Database], action: Key, global: &Global) -> anyhow::Result<Exit> {
    match action {
        Key::List { limit } => list(databases, limit, global).await,
        Key::Unblock { key, target, by, dry_run, yes } => {
            let request = match by {
                Unblock::Redrive => Request::Redrive,
                Unblock::Discard => Request::Discard,
                Unblock::Pass => Request::Pass,
            };
            unblock(databases, (&key, target.as_deref()), request, (dry_run, yes), global).await
        }
    }
}

async fn list(databases: &[Database], limit: u32, global: &Global) -> anyhow::Result<Exit> {
    for database in databases {
        let blocked = database.console.blocked(limit).await?;
        if global.json {
            for line in &blocked {
                output::json_row(&json!({ "database": title(databases, database), "blocked": line }))?;
            }
            continue;
        }
        announce(databases, database)?;
        let mut table = Table::new(&["key", "target", "blocked since", "dead letters", "waiting behind"]);
        for line in blocked {
            table.row([line.key, line.target, moment(line.since), grouped(line.letters), grouped(line.waiting)]);
        }
        table.print_or("no key is blocked")?;
    }
    Ok(Exit::Ok)
}

async fn unblock(
    databases: &[Database],
    (key, target): (&str, Option<&str>),
    request: Request,
    (dry_run, yes): (bool, bool),
    global: &Global,
) -> anyhow::Result<Exit> {
    let mut blocking = Vec::new();
    for database in databases {
        let letters = database.console.blocking(key, target).await?;
        if !letters.is_empty() {
            blocking.push((database, letters));
        }
    }
    let many: u64 = blocking.iter().map(|(_, letters)| letters.len() as u64).sum();
    if many == 0 {
        if !global.json {
            eprintln!("outbox: nothing blocks the key `{}`", output::plain(key));
        }
        return Ok(Exit::NotFound);
    }
    if !dry_run && !yes {
        let warning = if request == Request::Pass { " What is behind them will pass them: the order of the key is given up." } else { "" };
        if !dead::confirmed(&format!(
            "{} {}, which block the key `{}`?{warning}",
            request.as_str(),
            dead::letters(many),
            output::plain(key)
        ))? {
            return Ok(Exit::NotConfirmed);
        }
    }
    let actor = databases::actor(global);
    for (database, letters) in blocking {
        let done = if dry_run { letters.len() as u64 } else { database.console.act(request, &letters, &actor).await? };
        if global.json {
            let did = if dry_run { "would" } else { "did" };
            output::json_row(&json!({ "database": database.name, "key": key, did: request.as_str(), "letters": done }))?;
        } else {
            announce(databases, database)?;
            let text = match (dry_run, request) {
                (true, _) => format!("would {} {}", request.as_str(), dead::letters(done)),
                (false, Request::Pass) => format!("the key `{}` passes {}", output::plain(key), dead::letters(done)),
                (false, Request::Discard) => format!("discarded {}; the key `{}` goes on", dead::letters(done), output::plain(key)),
                (false, _) => format!("redrove {}; the key `{}` goes on behind them", dead::letters(done), output::plain(key)),
            };
            output::line(text)?;
        }
    }
    Ok(Exit::Ok)
}
