//! What the command says of itself: logs, metrics, health.

use crate::dashboard::Access;
use crate::databases::Database;
use anyhow::Context;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::{Router, routing::get};
use events_core::metric::{self, Metric};
use events_core::{Outboxes, RelayOptions};
use events_sqlx::{Overview, Process};
use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// How often the databases are asked for gauges.
const EVERY: Duration = Duration::from_secs(10);
/// To how many deliveries of each target and state a gauge counts.
const COUNT_TO: u32 = 100_000;
/// At most so many blocked keys are counted.
const BLOCKED: u32 = 10_000;

/// Logs what a daemon does, as RUST_LOG says; to stderr, because stdout is for results.
pub(crate) fn log() {
    start_log(LevelFilter::INFO);
}

/// Logs only what goes wrong.
pub(crate) fn log_warnings() {
    start_log(LevelFilter::ERROR);
}

fn start_log(default: LevelFilter) {
    let filter = EnvFilter::builder().with_default_directive(default.into()).from_env_lossy();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init();
}

/// Records metrics from now on.
pub(crate) fn record() -> anyhow::Result<PrometheusHandle> {
    let buckets = (Matcher::Prefix("outbox_".to_owned()), metric::BUCKETS);
    let builder = PrometheusBuilder::new().set_buckets_for_metric(buckets.0, buckets.1).context("recording metrics")?;
    let recorder = builder.install_recorder().context("recording metrics")?;
    for Metric { name, help, .. } in [metric::BACKLOG, metric::OLDEST_AGE, metric::DEAD_LETTERS, metric::BLOCKED_KEYS, metric::ORPHANED] {
        metrics::describe_gauge!(name, help);
    }
    Ok(recorder)
}

/// The databases whose gauges are told. They come and go.
#[derive(Clone, Default)]
pub(crate) struct Sampled(Arc<Mutex<BTreeMap<String, Database>>>);

impl Sampled {
    pub(crate) fn add(&self, database: Database) {
        self.databases().insert(database.name.clone(), database);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.databases().remove(name);
    }

    fn databases(&self) -> MutexGuard<'_, BTreeMap<String, Database>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the databases for ever.
    pub(crate) async fn sample_for_ever(self) {
        // A target that is empty is told as zero, or its last number would stand for ever.
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        loop {
            let databases: Vec<Database> = self.databases().values().cloned().collect();
            for database in databases {
                let look = async {
                    let overview = database.console.overview(COUNT_TO).await?;
                    let blocked = database.console.blocked(BLOCKED).await?;
                    let processes = database.console.processes().await?;
                    tell(&database.name, (&overview, &processes), blocked.len(), known.entry(database.name.clone()).or_default());
                    Ok::<_, events_core::Error>(())
                };
                match tokio::time::timeout(EVERY * 3, look).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(database = database.name, error = error.report(), "a database could not be sampled"),
                    Err(_) => tracing::warn!(database = database.name, "a database did not answer in time when it was sampled"),
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

fn tell(outbox: &str, (overview, processes): (&Overview, &[Process]), blocked: usize, known: &mut BTreeSet<String>) {
    known.extend(overview.backlogs.iter().map(|backlog| backlog.target.clone()));
    known.extend(overview.dead.iter().map(|dead| dead.target.clone()));
    for target in &*known {
        let backlog = overview.backlogs.iter().find(|backlog| backlog.target == *target).cloned().unwrap_or_default();
        let dead = overview.dead.iter().find(|dead| dead.target == *target).map_or(0, |dead| dead.letters);
        let labels = || [("outbox", outbox.to_owned()), ("target", target.clone())];
        for (state, many) in [("due", backlog.due), ("leased", backlog.leased), ("later", backlog.later), ("key", backlog.key)] {
            let [one, other] = labels();
            gauge!(metric::BACKLOG.name, &[one, other, ("state", state.to_owned())]).set(many as f64);
        }
        gauge!(metric::OLDEST_AGE.name, &labels()).set(backlog.due_for.unwrap_or_default().as_secs_f64());
        gauge!(metric::DEAD_LETTERS.name, &labels()).set(dead as f64);
        let is_taken = processes.iter().any(|process| process.takes(target));
        gauge!(metric::ORPHANED.name, &labels()).set(if is_taken { 0.0 } else { backlog.due as f64 });
    }
    gauge!(metric::BLOCKED_KEYS.name, "outbox" => outbox.to_owned()).set(blocked as f64);
}

/// Whether the process should be left alone, and whether it does its work.
#[derive(Clone)]
pub(crate) struct Health(Arc<dyn Fn() -> Vec<String> + Send + Sync>);

impl Health {
    /// A relay is ready when each of its outboxes runs, and the scanner of each has looked lately or stands by.
    pub(crate) fn of_relay(outboxes: Outboxes, options: &RelayOptions) -> Self {
        let late = options.poll * 10 + options.call_timeout * 2;
        Self(Arc::new(move || {
            let problems = outboxes.status().into_iter().filter_map(|outbox| {
                if !outbox.running {
                    return Some(format!("{}: {}", outbox.name, outbox.last_error.as_deref().unwrap_or("it is being started")));
                }
                let scanner = outbox.health.iter().find(|one| one.name == "scanner")?;
                let ago = scanner.last_success.map(|at| OffsetDateTime::now_utc() - at);
                let silent = ago.is_none_or(|ago| ago > late);
                silent.then(|| format!("{}: its scanner has not looked for {} s", outbox.name, ago.unwrap_or_default().whole_seconds()))
            });
            problems.collect()
        }))
    }

    /// What only looks is ready when it listens.
    pub(crate) fn always() -> Self {
        Self(Arc::new(Vec::new))
    }
}

/// What `/metrics`, `/live` and `/ready` need.
#[derive(Clone)]
struct Served {
    metrics: PrometheusHandle,
    health: Health,
}

/// The routes of metrics and health. `/live` answers as long as the process does; `/ready` says what is not as it should be.
pub(crate) fn router(metrics: PrometheusHandle, health: Health) -> Router {
    Router::new()
        .route(
            "/metrics",
            get(async |State(served): State<Served>| ([(CONTENT_TYPE, "text/plain; version=0.0.4")], served.metrics.render())),
        )
        .route("/live", get(async || "alive\n"))
        .route("/ready", get(ready))
        .with_state(Served { metrics, health })
}

/// As `routes`, but metrics are only for those who may see the dashboard. Health says nothing that a stranger could use.
pub(crate) fn guarded(routes: Router, access: &Access) -> Router {
    let access = access.clone();
    routes.layer(axum::middleware::from_fn(move |request: Request, next: Next| {
        let access = access.clone();
        async move {
            let open = request.uri().path() != "/metrics";
            if open || access.allows(request.headers()) { next.run(request).await } else { StatusCode::UNAUTHORIZED.into_response() }
        }
    }))
}

async fn ready(State(served): State<Served>) -> impl IntoResponse {
    let problems = (served.health.0)();
    if problems.is_empty() { (StatusCode::OK, "ready\n".to_owned()) } else { (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n") }
}

/// Keeps gauges and histograms fresh.
pub(crate) fn keep_fresh(metrics: &PrometheusHandle, sampled: Sampled) {
    tokio::spawn(sampled.sample_for_ever());
    let metrics = metrics.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            metrics.run_upkeep();
        }
    });
}

/// Serves metrics and health in the background; returns the address.
pub(crate) async fn serve(address: SocketAddr, metrics: PrometheusHandle, sampled: Sampled, health: Health) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
    let bound = listener.local_addr()?;
    keep_fresh(&metrics, sampled);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router(metrics, health)).await {
            tracing::error!(%error, "metrics and health are not served any more");
        }
    });
    Ok(bound)
}
