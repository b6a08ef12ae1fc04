//! `outbox show`.

use super::{announce, title};
use crate::args::Global;
use crate::databases::Database;
use crate::exit::Exit;
use crate::output::{self, moment};
use crate::view::{self, Row};
use events_core::{Envelope, EventId};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) async fn run(databases: &[Database], event: Uuid, global: &Global) -> anyhow::Result<Exit> {
    // The id of a delivery is that of its event with a number in the last ten bits.
    let event = EventId(EventId(event).deliveries().0.0);
    let mut exit = Exit::NotFound;
    for database in databases {
        let story = database.console.story(event).await?;
        if story.is_empty() {
            continue;
        }
        exit = Exit::Ok;
        let rows = view::rows(&story);
        if global.json {
            let body = story.envelope().map(|envelope| (view::payload(envelope), json!(envelope.headers)));
            let (payload, headers) = body.unwrap_or((Value::Null, Value::Null));
            output::json(&json!({
                "database": title(databases, database), "event": event.to_string(), "headers": headers, "payload": payload, "deliveries": rows,
            }))?;
        } else {
            announce(databases, database)?;
            if let Some(envelope) = story.envelope() {
                self::event(envelope)?;
            }
            for row in &rows {
                delivery(row)?;
            }
        }
    }
    if exit == Exit::NotFound && !global.json {
        let said = "there is no trace of it: never published, rolled back, or delivered everywhere without an archive to remember it";
        eprintln!("outbox: event {event}: {said}");
    }
    Ok(exit)
}

fn event(envelope: &Envelope) -> anyhow::Result<()> {
    output::line(format!("event      {}", envelope.id))?;
    output::line(format!("topic      {} (version {})", output::plain(&envelope.topic), envelope.version))?;
    if let Some(key) = &envelope.key {
        output::line(format!("key        {}", output::plain(key)))?;
    }
    output::line(format!("published  {} by {}", moment(envelope.occurred_at), output::plain(&envelope.source)))?;
    for (name, value) in &envelope.headers {
        output::line(format!("header     {} = {}", output::plain(name), output::plain(value)))?;
    }
    let payload = serde_json::to_string_pretty(&view::payload(envelope))?;
    output::line(format!("payload    {}", payload.replace('\n', "\n           ")))?;
    Ok(())
}

pub(crate) fn delivery(row: &Row) -> anyhow::Result<()> {
    let when = row.at.map_or_else(String::new, |at| format!(" {}", moment(at)));
    let state = match row.state {
        "due" => format!("waits for a process to take it, since{when}"),
        "leased" => format!("a process has it, until{when}"),
        "later" => format!("waits for its time:{when}"),
        "key" => "waits for an earlier one of its key".to_owned(),
        "dead" => format!("given up{when}: {}", row.reason.as_deref().unwrap_or("?")),
        _ => format!("arrived{when}"),
    };
    let blocks = if row.blocks_key { ", blocks its key" } else { "" };
    output::line(format!("\nto {}\n  {} {state}{blocks}", output::plain(&row.target), row.id))?;
    if row.lost_leases > 0 {
        output::line(format!("  {} leases ran out unsettled", row.lost_leases))?;
    }
    if let Some(unreadable) = &row.unreadable {
        output::line(format!("  it cannot be read: {}", output::plain(unreadable)))?;
    }
    for failure in &row.failures {
        let attempt = if failure.attempt == 0 { "an attempt that began".to_owned() } else { format!("attempt {}", failure.attempt) };
        output::line(format!("  {} {attempt}: {}", moment(failure.at), output::plain(&failure.error)))?;
    }
    Ok(())
}
