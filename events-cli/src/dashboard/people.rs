//! Blocked keys, processes, the audit.

use super::Shared;
use super::dead::done;
use super::form::Search;
use super::overview::shown;
use super::page::{Frame, Problem, Visit, show};
use super::texts::with;
use crate::output::{grouped, moment, span};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use events_sqlx::Process;
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// At most so many blocked keys are shown.
const KEYS: u32 = 200;
/// How many entries a page of the audit has.
const ENTRIES: u32 = 100;

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    rows: Vec<KeyRow>,
    done: Option<String>,
}

struct KeyRow {
    key: String,
    target: String,
    since: String,
    letters: String,
    waiting: String,
}

#[derive(Template)]
#[template(path = "processes.html")]
struct ProcessesPage {
    frame: Frame,
    processes: Vec<ProcessRow>,
    leads: Vec<(String, String, String)>,
}

struct ProcessRow {
    owner: String,
    release: String,
    started: String,
    seen: String,
    silent: bool,
    publish_only: bool,
    numbers: Vec<(&'static str, String)>,
    targets: String,
    loops: Vec<(String, String, bool)>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    rows: Vec<[String; 4]>,
    next: Option<String>,
}

pub(super) async fn keys(
    State(dashboard): State<Shared>,
    visit: Visit,
    Path(name): Path<String>,
    Query(search): Query<Search>,
) -> Response {
    let answer = async {
        let database = shown(&dashboard, &name, &visit)?;
        let blocked = database.console.blocked(KEYS).await?;
        let rows = blocked.into_iter().map(|line| KeyRow {
            key: line.key,
            target: line.target,
            since: moment(line.since),
            letters: grouped(line.letters),
            waiting: grouped(line.waiting),
        });
        let frame = Frame::new(visit.clone(), visit.texts.keys).within(&dashboard, &name, "keys");
        Ok(show(&KeysPage { frame, rows: rows.collect(), done: done(visit.texts, &search) }))
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.shown(&visit))
}

pub(super) async fn processes(State(dashboard): State<Shared>, visit: Visit, Path(name): Path<String>) -> Response {
    let answer = async {
        let database = shown(&dashboard, &name, &visit)?;
        let (processes, leads) = (database.console.processes().await?, database.console.leads().await?);
        let t = visit.texts;
        let leads = leads.into_iter().map(|lead| (lead.name, lead.owner, lead.expires_in.map_or_else(|| t.expired.to_owned(), span)));
        let frame = Frame::new(visit.clone(), t.processes).within(&dashboard, &name, "processes");
        let processes = processes.iter().map(|process| row(process, &visit)).collect();
        Ok(show(&ProcessesPage { frame, processes, leads: leads.collect() }))
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.shown(&visit))
}

fn row(process: &Process, visit: &Visit) -> ProcessRow {
    let (t, report) = (visit.texts, &process.report);
    let loops = report.loops.iter().map(|one| {
        let success = one.success_ago.map_or_else(|| t.never.to_owned(), |ago| with(t.last_success, span(Duration::from_millis(ago))));
        let standby = if one.standby { format!(", {}", t.standby) } else { String::new() };
        let restarts = if one.restarts > 0 { format!(", {} {}", one.restarts, t.restarts) } else { String::new() };
        (one.name.clone(), format!("{success}{standby}{restarts}"), one.restarts > 0)
    });
    let stats = &report.stats;
    ProcessRow {
        owner: process.owner.clone(),
        release: report.release.clone(),
        started: moment(process.started_at),
        seen: with(t.ago, span(process.seen_ago)),
        silent: process.seen_ago.as_secs() >= 60,
        publish_only: report.publish_only,
        numbers: vec![
            (t.published_rate, grouped(stats.published)),
            (t.delivered, grouped(stats.delivered_from_memory + stats.delivered_by_scanner)),
            (t.retried, grouped(stats.retried)),
            (t.dead, grouped(stats.dead)),
            (t.in_memory, grouped(report.in_flight as u64)),
        ],
        targets: report.targets.join(", "),
        loops: loops.collect(),
    }
}

#[derive(Deserialize)]
pub(super) struct Before {
    before: Option<Uuid>,
}

pub(super) async fn audit(
    State(dashboard): State<Shared>,
    visit: Visit,
    Path(name): Path<String>,
    Query(Before { before }): Query<Before>,
) -> Response {
    let answer = async {
        let database = shown(&dashboard, &name, &visit)?;
        let entries = database.console.audit(before, ENTRIES).await?;
        let next = entries.last().filter(|_| entries.len() == ENTRIES as usize).map(|entry| format!("before={}", entry.id));
        let rows = entries.into_iter().map(|entry| [moment(entry.at), entry.actor, entry.action, entry.detail]).collect();
        let frame = Frame::new(visit.clone(), visit.texts.audit).within(&dashboard, &name, "audit");
        Ok(show(&AuditPage { frame, rows, next }))
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.shown(&visit))
}
