//! Runs until it is told to end: SIGTERM and Ctrl-C drain, SIGHUP reads the list of databases anew.

use super::broker::Away;
use super::members::Terms;
use super::{broker, members};
use crate::args::{self, Global, duration};
use crate::config::{Config, Named};
use crate::databases::Database;
use crate::exit::Exit;
use crate::output;
use crate::telemetry::{self, Health, Sampled};
use anyhow::{Context, bail};
use events_core::{Outboxes, RelayOptions};
use std::collections::BTreeMap;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) async fn run(global: &Global, args: &args::Relay) -> anyhow::Result<Exit> {
    telemetry::log();
    // Installed before anything is counted.
    let metrics = args.listen.map(|_| telemetry::record()).transpose()?;
    let config = Config::read(global.config.as_deref())?;
    let Some(plan) = broker::plan(&args.broker, config.broker.as_ref())? else {
        bail!("no broker was named; say `--to nats://..`, set OUTBOX_BROKER, or name one in the file of `--config`");
    };
    let mut databases = config.databases(global)?;
    let options = options(args, &config)?;
    let keys = config.payload_keys()?;
    // Before anything is connected, so that a signal in between is not lost.
    let (mut hangup, mut terminate) = (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
    let transport = broker::connect(&plan, Away::IsWaitedFor).await.with_context(|| format!("the broker {}", plan.shown()))?;
    let terms = Terms { transport, options, keys };
    let outboxes = Outboxes::new();
    let sampled = Sampled::default();
    for named in &databases {
        members::add(&outboxes, named, &terms)?;
        sampled.add(Database::connect(named).await?);
    }
    if let (Some(address), Some(metrics)) = (args.listen, metrics) {
        let health = Health::of_relay(outboxes.clone(), &terms.options);
        let bound = telemetry::serve(address, metrics, sampled.clone(), health).await?;
        output::line(format!("metrics and health at http://{bound}"))?;
    }
    let names: Vec<&str> = databases.iter().map(|named| &*named.name).collect();
    output::line(format!("relaying from {} to {}", names.join(", "), plan.shown()))?;
    loop {
        tokio::select! {
            _ = hangup.recv() => match Config::read(global.config.as_deref()).and_then(|config| config.databases(global)) {
                Ok(wanted) => {
                    reload(&outboxes, &sampled, (&databases, &wanted), |named| members::add(&outboxes, named, &terms), args).await?;
                    databases = wanted;
                }
                // The old list was good; a slip of the pen must not stop the relay.
                Err(error) => tracing::error!("the configuration was not reloaded: {}", output::sentence(&error)),
            },
            _ = terminate.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    output::line("draining")?;
    let left: usize = outboxes.shutdown_within(args.drain).await.into_iter().map(|(_, left)| left).sum();
    if left > 0 {
        output::line(format!("{left} deliveries were still under way; other relays take them over"))?;
        return Ok(Exit::Failed);
    }
    output::line("drained")?;
    Ok(Exit::Ok)
}

fn options(args: &args::Relay, config: &Config) -> anyhow::Result<RelayOptions> {
    let of_file = |text: &Option<String>, name: &str| {
        text.as_deref().map(duration).transpose().map_err(|error| anyhow::anyhow!("`{name}` of `[relay]`: {error}"))
    };
    let mut options = RelayOptions { exclusive: !args.share, ..RelayOptions::default() };
    options.lease = args.lease.or(of_file(&config.relay.lease, "lease")?).unwrap_or(options.lease);
    options.poll = args.poll.or(of_file(&config.relay.poll, "poll")?).unwrap_or(options.poll);
    options.batch = config.relay.batch.unwrap_or(options.batch);
    options.check()?;
    Ok(options)
}

/// Adds what is new, removes what is gone, and lets the rest run. A database whose URL has changed is both.
async fn reload(
    outboxes: &Outboxes,
    sampled: &Sampled,
    (old, new): (&[Named], &[Named]),
    add: impl Fn(&Named) -> anyhow::Result<()>,
    args: &args::Relay,
) -> anyhow::Result<()> {
    let new_by_name: BTreeMap<&str, &Named> = new.iter().map(|named| (&*named.name, named)).collect();
    let (mut removed, mut added) = (0, 0);
    for named in old.iter().filter(|named| new_by_name.get(&*named.name) != Some(named)) {
        sampled.remove(&named.name);
        outboxes.remove(&named.name, args.drain).await;
        removed += 1;
    }
    for named in new.iter().filter(|named| !old.contains(named)) {
        add(named)?;
        sampled.add(Database::connect(named).await?);
        added += 1;
    }
    tracing::info!(added, removed, "the list of databases was reloaded");
    Ok(())
}
