//! What RocketMQ's transactional messages cost beside the outbox: the same units of work, in turns, against the same PostgreSQL and the same
//! private broker; the median of the rounds. `ROUNDS` (default 5), `UNITS` (units of work per round and side, default 2,000), `TASKS` (8).

#![allow(clippy::unwrap_used)]

use events_core::RelayOptions;
use events_core::test_kit::wait_until_within;
use events_mq::rocketmq::RocketMq;
use events_sqlx::postgres::{Outbox, UnitOfWork};
use events_tests::events::Sent;
use events_tests::servers::RocketMqServer;
use events_tests::{OnPostgres, Scene};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The requests to name server and broker, so far.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Counts what the transport asks.
struct Counting;

impl<S: tracing::Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "events_mq::rocketmq::link" {
            REQUESTS.fetch_add(1, Relaxed);
        }
    }
}

/// One side of a round.
struct Figures {
    commits: f64,
    delivered: f64,
    requests: f64,
}

#[tokio::main]
async fn main() {
    let filter = tracing_subscriber::filter::Targets::new().with_target("events_mq::rocketmq::link", tracing::Level::TRACE);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Counting.with_filter(filter))).unwrap();
    let (rounds, units, tasks) = (number("ROUNDS", 5), number("UNITS", 2_000), number("TASKS", 8));
    let (server, scene) = (RocketMqServer::start(), Scene::<OnPostgres>::new().await);
    let address = format!("rocketmq://127.0.0.1:{}", server.port());
    let connect = async || RocketMq::connect(&address).await.unwrap();
    let process = async || scene.process().await.relay(RelayOptions::default()).event::<Sent>();
    let outbox = process().await.transport(connect().await).start().await.unwrap();
    let two_phase = process().await.two_phase(connect().await).start().await.unwrap();
    let next = Arc::new(AtomicI64::new(0));

    println!("{units} units of work in each of {rounds} rounds, {tasks} tasks, PostgreSQL:\n");
    println!("| events per unit | | commits/s | events/s, all confirmed | requests per event |");
    println!("|---|---|---|---|---|");
    for events in [1, 10] {
        let mut sides: [Vec<Figures>; 2] = [Vec::new(), Vec::new()];
        for round in 0..=rounds {
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for side in order {
                let figures = measure([&outbox, &two_phase][side], &next, units, tasks, events).await;
                // The first round makes connections, and does not count.
                if round > 0 {
                    sides[side].push(figures);
                }
            }
        }
        for (name, side) in ["outbox", "two-phase"].into_iter().zip(&sides) {
            let of = |figure: fn(&Figures) -> f64| median(side.iter().map(figure).collect());
            println!("| {events} | {name} | {:.0} | {:.0} | {:.2} |", of(|it| it.commits), of(|it| it.delivered), of(|it| it.requests));
        }
    }
    println!("\nquestions of the broker: {}; told too late: {}", two_phase.stats().checked, two_phase.stats().unconfirmed);
    outbox.shutdown().await;
    two_phase.shutdown().await;
}

async fn measure(outbox: &Outbox, next: &Arc<AtomicI64>, units: usize, tasks: usize, events: i64) -> Figures {
    let (before, begun) = (REQUESTS.load(Relaxed), Instant::now());
    let mut working = Vec::new();
    for _ in 0..tasks {
        let (outbox, next) = (outbox.clone(), Arc::clone(next));
        working.push(tokio::spawn(async move {
            for _ in 0..units / tasks {
                let n = next.fetch_add(1, Relaxed);
                let work = async move |uow: &mut UnitOfWork| -> anyhow::Result<()> {
                    sqlx::query("INSERT INTO business (n) VALUES ($1)").bind(n).execute(uow.conn()).await?;
                    (0..events).try_for_each(|step| uow.publish(Sent { line: n * events + step, step: 0 }).map(drop))?;
                    Ok(())
                };
                outbox.run(work).await.unwrap();
            }
        }));
    }
    for task in working {
        task.await.unwrap();
    }
    let committed = begun.elapsed().as_secs_f64();
    let all = async || outbox.in_flight() == 0 && outbox.waiting().await.unwrap() == 0;
    assert!(wait_until_within(Duration::from_secs(300), all).await, "not everything is confirmed");
    let confirmed = begun.elapsed().as_secs_f64();
    let units = (units / tasks * tasks) as f64;
    let sent = units * events as f64;
    Figures { commits: units / committed, delivered: sent / confirmed, requests: (REQUESTS.load(Relaxed) - before) as f64 / sent }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}
