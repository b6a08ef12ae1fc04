//! `outbox catalog` and `outbox schema`: what is linked into this program, and how it has changed.

use crate::args::{CatalogFormat, Schema};
use crate::exit::Exit;
use crate::output::{self, Table};
use anyhow::{Context, anyhow, bail};
use events_core::{Catalog, EventsLock, Severity, catalog};
use std::fs;
use std::path::Path;

/// How a program has events to tell of.
const LINK: &str =
    "no event is linked into this program; call `events_cli::main()` from a binary of your own that links your events, and run that";

pub(crate) fn print(format: CatalogFormat, title: &str, json: bool) -> anyhow::Result<Exit> {
    let catalog = linked()?;
    match format {
        CatalogFormat::Asyncapi => output::json(&catalog.to_asyncapi(title, env!("CARGO_PKG_VERSION")))?,
        CatalogFormat::Json => output::json(&catalog)?,
        CatalogFormat::Table if json => output::json(&catalog)?,
        CatalogFormat::Table => tables(&catalog)?,
    }
    Ok(Exit::Ok)
}

fn linked() -> anyhow::Result<Catalog> {
    let catalog = catalog();
    if catalog.events.is_empty() {
        bail!(LINK);
    }
    Ok(catalog)
}

fn tables(catalog: &Catalog) -> anyhow::Result<()> {
    let mut events = Table::new(&["topic", "version", "reads from", "key", "to", "sensitive", "type"]);
    for event in &catalog.events {
        let to = match (event.local, event.to) {
            (true, _) => "handlers only",
            (false, Some(to)) => to,
            (false, None) => "the transport",
        };
        events.row([
            event.topic.to_owned(),
            event.version.to_string(),
            event.oldest.to_string(),
            event.key.unwrap_or("-").to_owned(),
            to.to_owned(),
            if event.sensitive.is_empty() { "-".to_owned() } else { event.sensitive.join(", ") },
            event.type_name.to_owned(),
        ]);
    }
    events.print_or("")?;
    output::line("")?;
    let mut handlers = Table::new(&["handler", "topic", "versions", "when", "group", "attempts", "a second call"]);
    for handler in &catalog.handlers {
        let (oldest, newest) = handler.versions;
        handlers.row([
            handler.name.to_owned(),
            handler.topic.to_owned(),
            if oldest == newest { newest.to_string() } else { format!("{oldest} to {newest}") },
            handler.phase.to_owned(),
            handler.group.unwrap_or("-").to_owned(),
            handler.attempts.map_or_else(|| "as the outbox".to_owned(), |attempts| attempts.to_string()),
            handler.repetition.to_owned(),
        ]);
    }
    handlers.print_or("no handler is linked into this program")?;
    Ok(())
}

pub(crate) fn schema(action: &Schema, json: bool) -> anyhow::Result<Exit> {
    let catalog = linked()?;
    match action {
        Schema::Check { lock } => {
            let Some(before) = read(lock)? else {
                bail!("there is no `{}`; write it with `outbox schema lock`, and commit it", lock.display());
            };
            check(&before, &catalog, json)
        }
        Schema::Lock { lock, force } => {
            let before = read(lock)?;
            if let Some(before) = &before
                && check(before, &catalog, json)? != Exit::Ok
                && !force
            {
                eprintln!("outbox: `{}` was not written; mend what breaks, or say `--force`", lock.display());
                return Ok(Exit::Failed);
            }
            let new = before.map_or_else(|| catalog.lock(), |before| catalog.relock(&before));
            fs::write(lock, new.to_string()).with_context(|| format!("writing `{}`", lock.display()))?;
            if !json {
                output::line(format!("`{}` has {} events; commit it", lock.display(), catalog.events.len()))?;
            }
            Ok(Exit::Ok)
        }
    }
}

fn read(lock: &Path) -> anyhow::Result<Option<EventsLock>> {
    match fs::read_to_string(lock) {
        Ok(text) => EventsLock::parse(&text).map(Some).map_err(|error| anyhow!("`{}`: {error}", lock.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading `{}`", lock.display())),
    }
}

/// Prints what has changed; fails if something breaks.
fn check(before: &EventsLock, catalog: &Catalog, json: bool) -> anyhow::Result<Exit> {
    let changes = before.check(catalog);
    for change in &changes {
        if json { output::json_row(change)? } else { output::line(change.to_string())? }
    }
    if changes.is_empty() && !json {
        output::line("nothing has changed")?;
    }
    Ok(if changes.iter().any(|change| change.severity == Severity::Breaking) { Exit::Failed } else { Exit::Ok })
}
