//! Measures other libraries in the way `events-bench` measures this one: the same business row, the same event, the same database, through
//! their public API, at the settings that their own documentation shows. `events-bench --peers <this program>` runs it in turns with the
//! rest. `list` prints the names; `run <json>` sets one up, says `ready`, waits for a line, works, says `1` and prints its figures.

#[cfg(feature = "awa")]
mod awa_queue;
#[cfg(feature = "graphile_worker")]
mod graphile;
#[cfg(feature = "hexeract")]
mod hexeract;
#[cfg(feature = "obix")]
mod obix_outbox;
mod order;
#[cfg(feature = "outbox-core")]
mod oxide;
#[path = "../../src/process.rs"]
#[allow(dead_code, reason = "events-bench looks at other processes, too")]
mod process;
#[cfg(feature = "sqlxmq")]
mod sqlxmq_queue;
mod wanted;

use crate::order::Order;
use crate::wanted::{Answer, Wanted};
use anyhow::{Context, bail};
use async_trait::async_trait;
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;

/// Those that this program was built with.
const NAMES: &[&str] = &[
    #[cfg(feature = "obix")]
    "obix",
    #[cfg(feature = "awa")]
    "awa",
    #[cfg(feature = "graphile_worker")]
    "graphile_worker",
    #[cfg(feature = "hexeract")]
    "hexeract-outbox-sql",
    #[cfg(feature = "sqlxmq")]
    "sqlxmq",
    #[cfg(feature = "outbox-core")]
    "outbox-core",
];
/// Units of work of each task before the measurement begins.
const WARM_UP: u64 = 20;
/// What is not delivered by then never will be.
const DEADLINE: Duration = Duration::from_secs(120);

/// One library, set up.
#[async_trait]
trait Peer: Send + Sync {
    /// One transaction: the business row and one event.
    async fn publish(&self, order: Order) -> anyhow::Result<()>;
    /// Whether the table says that everything is settled that the handler was called for.
    async fn is_settled(&self) -> anyhow::Result<bool>;
}

/// How often the handler that does nothing was called.
#[derive(Clone, Default)]
struct Handled(Arc<AtomicU64>);

impl Handled {
    fn note(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => NAMES.iter().for_each(|name| println!("{name}")),
        ["run", wanted] => run(&serde_json::from_str(wanted)?).await?,
        _ => bail!("use: list | run <json>"),
    }
    // Their background work needs no goodbye.
    std::process::exit(0)
}

async fn run(wanted: &Wanted) -> anyhow::Result<()> {
    let handled = Handled::default();
    let peer: Arc<dyn Peer> = match &*wanted.peer {
        #[cfg(feature = "obix")]
        "obix" => Arc::new(obix_outbox::Obix::start(wanted, &handled).await?),
        #[cfg(feature = "awa")]
        "awa" => Arc::new(awa_queue::Awa::start(wanted, &handled).await?),
        #[cfg(feature = "graphile_worker")]
        "graphile_worker" => Arc::new(graphile::Graphile::start(wanted, &handled).await?),
        #[cfg(feature = "hexeract")]
        "hexeract-outbox-sql" => Arc::new(hexeract::Hexeract::start(wanted, &handled).await?),
        #[cfg(feature = "sqlxmq")]
        "sqlxmq" => Arc::new(sqlxmq_queue::Sqlxmq::start(wanted, &handled).await?),
        #[cfg(feature = "outbox-core")]
        "outbox-core" => Arc::new(oxide::Oxide::start(wanted, &handled).await?),
        other => bail!("{other} is not known here"),
    };
    let (warm_up, _) = spread(&peer, wanted.tasks, None).await?;
    wait_until_settled(&peer, wanted, &handled, warm_up).await?;
    println!("ready");
    BufReader::new(tokio::io::stdin()).lines().next_line().await?;
    process::forget_peak();
    let (cpu, started) = (process::cpu(), Instant::now());
    let (units, latencies) = spread(&peer, wanted.tasks, Some(Duration::from_millis(wanted.millis))).await?;
    wait_until_settled(&peer, wanted, &handled, warm_up + units).await?;
    let took = started.elapsed();
    let cpu = process::cpu().zip(cpu).and_then(|(after, before)| after.checked_sub(before));
    println!("1");
    let answer = Answer {
        events: units,
        took_us: u64::try_from(took.as_micros())?,
        cpu_us: cpu.and_then(|cpu| u64::try_from(cpu.as_micros()).ok()),
        peak_mb: process::peak_mb(),
        latencies: latencies.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value())).collect(),
    };
    println!("{}", serde_json::to_string(&answer)?);
    Ok(())
}

async fn wait_until_settled(peer: &Arc<dyn Peer>, wanted: &Wanted, handled: &Handled, units: u64) -> anyhow::Result<()> {
    if !wanted.delivered {
        return Ok(());
    }
    let settled = async {
        while handled.0.load(Relaxed) < units || !peer.is_settled().await? {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::Ok(())
    };
    let in_time = tokio::time::timeout(DEADLINE, settled).await;
    in_time.with_context(|| format!("{} of {units} events were delivered in {DEADLINE:?}", handled.0.load(Relaxed)))?
}

/// Runs units of work on all tasks, for so long or as a warm-up; returns how many there were, and how many microseconds each took.
async fn spread(peer: &Arc<dyn Peer>, tasks: usize, time: Option<Duration>) -> anyhow::Result<(u64, Histogram<u64>)> {
    let end = time.map(|time| Instant::now() + time);
    let mut set = JoinSet::new();
    for task in 0..tasks as u64 {
        let peer = Arc::clone(peer);
        set.spawn(async move {
            let (mut units, mut latencies) = (0, Histogram::<u64>::new(3)?);
            while end.map_or(units < WARM_UP, |end| Instant::now() < end) {
                let begun = Instant::now();
                peer.publish(Order::number(units * tasks as u64 + task)).await?;
                latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
                units += 1;
            }
            anyhow::Ok((units, latencies))
        });
    }
    let (mut units, mut all) = (0, Histogram::new(3)?);
    while let Some(done) = set.join_next().await {
        let (more, latencies) = done??;
        units += more;
        all.add(&latencies)?;
    }
    Ok((units, all))
}
