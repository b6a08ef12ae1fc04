//! `outbox status` and `outbox watch`.

use super::announce;
use crate::args::{Global, Status};
use crate::databases::Database;
use crate::exit::Exit;
use crate::output::{self, Table, counted, grouped, span};
use events_core::Sample;
use events_sqlx::{Overview, Process};
use serde::Serialize;
use std::time::Duration;

/// Rates are those of the last so many seconds.
const RECENT: i64 = 60;

/// How an outbox is doing.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    database: String,
    system: &'static str,
    overview: Overview,
    /// Of the last minute, by all processes together.
    rates: Rates,
    processes: usize,
}

/// What happens per second, and how long it takes.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Rates {
    pub(crate) published: f64,
    pub(crate) delivered: f64,
    pub(crate) retried: f64,
    pub(crate) dead: f64,
    /// From publishing to settling, in milliseconds; the bound of a class.
    pub(crate) latency_p50: Option<u64>,
    pub(crate) latency_p99: Option<u64>,
}

impl Rates {
    /// The sum of what the processes said about the last minute.
    pub(crate) fn of(processes: &[Process]) -> Self {
        let mut rates = Self::default();
        let mut latencies: Vec<u64> = Vec::new();
        for process in processes.iter().filter(|process| process.seen_ago < Duration::from_secs(RECENT.unsigned_abs())) {
            let samples = &process.report.samples;
            let Some(last) = samples.last() else { continue };
            let recent: Vec<&Sample> = samples.iter().filter(|sample| sample.at > last.at - RECENT).collect();
            let seconds = recent.iter().map(|sample| sample.millis).sum::<u64>() as f64 / 1_000.0;
            if seconds <= 0.0 {
                continue;
            }
            let rate = |count: fn(&Sample) -> u64| recent.iter().map(|sample| count(sample)).sum::<u64>() as f64 / seconds;
            rates.published += rate(|sample| sample.published);
            rates.delivered += rate(|sample| sample.delivered);
            rates.retried += rate(|sample| sample.retried);
            rates.dead += rate(|sample| sample.dead);
            for sample in recent {
                latencies.resize(latencies.len().max(sample.latencies.len()), 0);
                latencies.iter_mut().zip(&sample.latencies).for_each(|(all, many)| *all += many);
            }
        }
        rates.latency_p50 = Sample::quantile(&latencies, 0.5);
        rates.latency_p99 = Sample::quantile(&latencies, 0.99);
        rates
    }
}

async fn look(database: &Database, options: &Status) -> anyhow::Result<Report> {
    let processes = database.console.processes().await?;
    Ok(Report {
        database: database.name.clone(),
        system: database.console.system(),
        overview: database.console.overview(options.count_to).await?,
        rates: Rates::of(&processes),
        processes: processes.iter().filter(|process| process.seen_ago < Duration::from_secs(RECENT.unsigned_abs())).count(),
    })
}

pub(crate) async fn once(databases: &[Database], options: &Status, global: &Global) -> anyhow::Result<Exit> {
    for database in databases {
        let report = look(database, options).await?;
        if global.json {
            output::json_row(&report)?;
        } else {
            announce(databases, database)?;
            lines(&report).into_iter().try_for_each(output::line)?;
        }
    }
    Ok(Exit::Ok)
}

pub(crate) async fn watch(
    databases: &[Database],
    options: &Status,
    (every, times): (Duration, Option<u64>),
    global: &Global,
) -> anyhow::Result<Exit> {
    let mut left = times;
    loop {
        let mut text = Vec::new();
        for database in databases {
            let report = look(database, options).await;
            match report {
                Ok(report) if global.json => output::json_row(&report)?,
                Ok(report) => {
                    text.push(format!("# {} ({}), {}", report.database, report.system, output::moment(report.overview.now)));
                    text.extend(lines(&report));
                    text.push(String::new());
                }
                // Who watches wants to see it come back.
                Err(error) => text.push(format!("# {}: {}", database.name, output::sentence(&error))),
            }
        }
        if !global.json {
            // Clears the screen; in a file or pipe, one look follows the other.
            let clear = if output::is_terminal() { "\u{1b}[2J\u{1b}[H" } else { "" };
            output::line(format!("{clear}{}", text.join("\n")))?;
        }
        if let Some(left) = &mut left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                return Ok(Exit::Ok);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Ok),
        }
    }
}

fn lines(report: &Report) -> Vec<String> {
    let overview = &report.overview;
    let most = overview.counted_to;
    let mut table = Table::new(&["target", "due", "leased", "later", "behind a key", "due for", "dead"]);
    let mut targets: Vec<&str> = overview.backlogs.iter().map(|backlog| &*backlog.target).collect();
    targets.extend(overview.dead.iter().map(|dead| &*dead.target));
    targets.sort_unstable();
    targets.dedup();
    for target in targets {
        let backlog = overview.backlogs.iter().find(|backlog| backlog.target == target).cloned().unwrap_or_default();
        let dead = overview.dead.iter().find(|dead| dead.target == target).map_or(0, |dead| dead.letters);
        table.row([
            target.to_owned(),
            counted(backlog.due, most),
            counted(backlog.leased, most),
            counted(backlog.later, most),
            counted(backlog.key, most),
            backlog.due_for.map_or_else(|| "-".to_owned(), span),
            counted(dead, most),
        ]);
    }
    let mut lines = if table.is_empty() { vec!["nothing waits, nothing was given up".to_owned()] } else { table.lines() };
    let rates = &report.rates;
    lines.push(String::new());
    if let Some(oldest) = overview.oldest {
        lines.push(format!("the oldest event that is still on its way was published {} ago", span(oldest)));
    }
    if let Some(about) = overview.about.filter(|about| *about >= most) {
        lines.push(format!("about {} deliveries in all, by the database's statistics", grouped(about)));
    }
    let processes = if report.processes == 1 { "1 process".to_owned() } else { format!("{} processes", report.processes) };
    lines.push(format!(
        "{processes}; in the last minute, each second: {:.1} published, {:.1} delivered, {:.1} retried, {:.1} given up",
        rates.published, rates.delivered, rates.retried, rates.dead
    ));
    if let Some(p50) = rates.latency_p50 {
        let p99 = rates.latency_p99.map_or_else(|| "over an hour".to_owned(), |p99| span(Duration::from_millis(p99)));
        lines.push(format!("from publishing to settled: half within {}, 99 % within {p99}", span(Duration::from_millis(p50))));
    }
    lines
}
