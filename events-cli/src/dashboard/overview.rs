//! How an outbox is doing, at a glance.

use super::chart::{Chart, Line, MOST_LINES, millis, plain_number, seconds};
use super::page::{Frame, Problem, Visit, escaped, show};
use super::sampler::Look;
use super::texts::{Texts, with};
use super::{Inner, Shared, Shown};
use crate::output::{counted, grouped, moment, span};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header::LOCATION};
use axum::response::{IntoResponse, Response};
use events_core::Sample;
use events_sqlx::{Overview, Process};
use std::collections::BTreeMap;

/// How long a bucket of a chart is, in seconds.
const BUCKET: i64 = 10;
/// How far the charts of processes go back, in seconds.
const WINDOW: i64 = 600;
/// A chart of looks has at most so many points.
const POINTS: usize = 180;

#[derive(Template)]
#[template(path = "databases.html")]
struct DatabasesPage {
    frame: Frame,
    rows: Vec<DatabaseRow>,
}

struct DatabaseRow {
    name: String,
    path: String,
    system: &'static str,
    seen: Result<(String, String), String>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    as_of: String,
    numbers: Vec<Number>,
    rows: Vec<TargetRow>,
    about: Option<String>,
    charts: Vec<Chart>,
}

/// One large number.
struct Number {
    label: &'static str,
    value: String,
    note: &'static str,
    bad: bool,
    path: String,
}

struct TargetRow {
    target: String,
    query: String,
    due: String,
    leased: String,
    later: String,
    key: String,
    due_for: String,
    dead: String,
    late: bool,
    has_dead: bool,
}

/// The database of an address.
pub(super) fn shown<'a>(dashboard: &'a Inner, name: &str, visit: &Visit) -> Result<&'a Shown, Problem> {
    dashboard.databases.get(name).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, visit.texts.not_found))
}

/// All databases; the only one at once.
pub(super) async fn databases(State(dashboard): State<Shared>, visit: Visit) -> Response {
    let path = |name: &str| format!("{}/d/{}", dashboard.base, escaped(name));
    if let (1, Some(name)) = (dashboard.databases.len(), dashboard.databases.keys().next()) {
        return (StatusCode::SEE_OTHER, [(LOCATION, path(name))]).into_response();
    }
    let rows = dashboard.databases.iter().map(async |(name, database)| DatabaseRow {
        name: name.clone(),
        path: path(name),
        system: database.console.system(),
        seen: match database.samples.overview(&database.console).await {
            Ok(overview) => Ok((counted(overview.waiting(), overview.counted_to), counted(overview.dead_letters(), overview.counted_to))),
            Err(error) => Err(error.report()),
        },
    });
    let rows = futures_util::future::join_all(rows).await;
    let frame = Frame::new(visit.clone(), visit.texts.databases);
    show(&DatabasesPage { frame, rows })
}

async fn of(dashboard: &Shared, name: &str, visit: &Visit) -> Result<Response, Problem> {
    let database = shown(dashboard, name, visit)?;
    let overview = database.samples.overview(&database.console).await?;
    let processes = database.console.processes().await?;
    let blocked = database.console.blocked(100).await?.len();
    let t = visit.texts;
    let frame = Frame::new(visit.clone(), t.overview).within(dashboard, name, "overview");
    let path = frame.path().to_owned();
    let most = overview.counted_to;
    let numbers = vec![
        Number { label: t.waiting, value: counted(overview.waiting(), most), note: "", bad: false, path: format!("{path}/events") },
        Number {
            label: t.oldest,
            value: overview.oldest.map_or_else(|| "–".to_owned(), span),
            note: t.oldest_help,
            bad: overview.oldest.is_some_and(|oldest| oldest.as_secs() > 600),
            path: format!("{path}/events"),
        },
        Number {
            label: t.dead_letters,
            value: counted(overview.dead_letters(), most),
            note: "",
            bad: overview.dead_letters() > 0,
            path: format!("{path}/dead"),
        },
        Number { label: t.keys, value: counted(blocked as u64, 100), note: "", bad: blocked > 0, path: format!("{path}/keys") },
        Number {
            label: t.processes,
            value: grouped(processes.iter().filter(|process| process.seen_ago.as_secs() < 60).count() as u64),
            note: "",
            bad: processes.is_empty(),
            path: format!("{path}/processes"),
        },
    ];
    let charts = charts(t, &database.samples.looks(), &processes);
    let about = overview.about.filter(|about| *about >= most).map(|about| with(t.about, grouped(about)));
    let as_of = with(t.as_of, moment(overview.now));
    Ok(show(&OverviewPage { frame, as_of, numbers, rows: rows(&overview), about, charts }))
}

/// One database.
pub(super) async fn one(State(dashboard): State<Shared>, visit: Visit, Path(name): Path<String>) -> Response {
    of(&dashboard, &name, &visit).await.unwrap_or_else(|problem| problem.shown(&visit))
}

fn rows(overview: &Overview) -> Vec<TargetRow> {
    let most = overview.counted_to;
    let mut targets: Vec<&str> = overview.backlogs.iter().map(|backlog| &*backlog.target).collect();
    targets.extend(overview.dead.iter().map(|dead| &*dead.target));
    targets.sort_unstable();
    targets.dedup();
    let row = |target: &str| {
        let backlog = overview.backlogs.iter().find(|backlog| backlog.target == target).cloned().unwrap_or_default();
        let dead = overview.dead.iter().find(|dead| dead.target == target).map_or(0, |dead| dead.letters);
        TargetRow {
            target: target.to_owned(),
            query: format!("target={}", escaped(target)),
            due: counted(backlog.due, most),
            leased: counted(backlog.leased, most),
            later: counted(backlog.later, most),
            key: counted(backlog.key, most),
            due_for: backlog.due_for.map_or_else(|| "–".to_owned(), span),
            dead: counted(dead, most),
            late: backlog.due_for.is_some_and(|late| late.as_secs() > 60),
            has_dead: dead > 0,
        }
    };
    targets.into_iter().map(row).collect()
}

fn charts(t: &'static Texts, looks: &[Look], processes: &[Process]) -> Vec<Chart> {
    let (throughput, latency) = of_processes(t, processes);
    vec![
        Chart::new(t, "throughput", (format!("{}, {}", t.throughput, t.per_second), t.ten_minutes), &throughput, plain_number),
        Chart::new(t, "latency", (t.latency, t.ten_minutes), &latency, millis),
        Chart::new(t, "backlog", (t.backlog, t.last_hour), &of_looks(looks, |(many, _)| *many as f64), plain_number),
        Chart::new(t, "age", (t.age, t.last_hour), &of_looks(looks, |(_, age)| *age), seconds),
    ]
}

/// What all processes did together, in buckets of ten seconds.
fn of_processes(t: &Texts, processes: &[Process]) -> (Vec<Line>, Vec<Line>) {
    #[derive(Default)]
    struct Bucket {
        rates: [f64; 3],
        latencies: Vec<u64>,
    }
    let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
    let latest = processes.iter().filter_map(|process| process.report.samples.last()).map(|sample| sample.at).max().unwrap_or(0);
    let samples = processes.iter().flat_map(|process| &process.report.samples);
    for sample in samples.filter(|sample| sample.at > latest - WINDOW && sample.millis > 0) {
        let bucket = buckets.entry(sample.at / BUCKET * BUCKET).or_default();
        let counts = [sample.published, sample.delivered, sample.retried];
        // A process may report twice in one bucket, and in the next not at all: what counts is how much it was in ten seconds.
        bucket.rates.iter_mut().zip(counts).for_each(|(rate, many)| *rate += many as f64 / BUCKET as f64);
        bucket.latencies.resize(bucket.latencies.len().max(sample.latencies.len()), 0);
        bucket.latencies.iter_mut().zip(&sample.latencies).for_each(|(all, many)| *all += many);
    }
    let names = [t.published_rate, t.delivered_rate, t.retried_rate];
    let rates = names.iter().enumerate().map(|(index, name)| Line {
        name: (*name).to_owned(),
        points: buckets.iter().map(|(at, bucket)| (*at, bucket.rates[index])).collect(),
    });
    let quantile = |share: f64| {
        let known = buckets.iter().filter(|(_, bucket)| bucket.latencies.iter().sum::<u64>() > 0);
        let longest = events_core::LATENCY_BOUNDS[events_core::LATENCY_BOUNDS.len() - 1];
        known.map(|(at, bucket)| (*at, Sample::quantile(&bucket.latencies, share).unwrap_or(longest) as f64)).collect::<Vec<_>>()
    };
    let lines = [(t.half, quantile(0.5)), (t.most, quantile(0.99))];
    let latencies = lines.into_iter().filter(|(_, points)| !points.is_empty()).map(|(name, points)| Line { name: name.to_owned(), points });
    (rates.filter(|line| !line.points.is_empty()).collect(), latencies.collect())
}

/// A line for each of the targets that had most.
fn of_looks(looks: &[Look], value: impl Fn(&(u64, f64)) -> f64) -> Vec<Line> {
    let mut most: BTreeMap<&str, f64> = BTreeMap::new();
    for look in looks {
        for (target, seen) in &look.targets {
            let most = most.entry(target).or_default();
            *most = most.max(value(seen));
        }
    }
    let mut targets: Vec<(&str, f64)> = most.into_iter().collect();
    targets.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let step = looks.len().div_ceil(POINTS).max(1);
    // The latest look is always shown.
    let shown: Vec<&Look> = looks.iter().rev().step_by(step).collect();
    let line = |target: &str| Line {
        name: target.to_owned(),
        points: shown.iter().rev().map(|look| (look.at, look.targets.get(target).map_or(0.0, &value))).collect(),
    };
    targets.into_iter().take(MOST_LINES).map(|(target, _)| line(target)).collect()
}
