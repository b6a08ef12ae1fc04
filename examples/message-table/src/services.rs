//! Opens the shop and the warehouse: each has a database and an outbox; between them is a broker that refuses, loses and repeats.

use crate::{arguments::Conduct, downstream::pack, express::DirectLine, lossy::LossyBroker, marking::Marking, upstream::Schedule};
use anyhow::Context;
use events_core::{MemoryTransport, RelayOptions};
use events_sqlx::sqlite::{self, Outbox};
use sqlx::SqlitePool;
use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use wire::{Counts, Failures, Faults, UnreliableBroker};

/// How the shop names itself in its events.
const SHOP: &str = "/shop";
const WAREHOUSE: &str = "/warehouse";
/// How long the scanner pauses at most. A demonstration looks more often than the default does.
const POLL: Duration = Duration::from_millis(50);

/// A service, running.
pub(crate) struct Service {
    pub(crate) pool: SqlitePool,
    pub(crate) outbox: Outbox,
    pub(crate) faults: Faults,
    pub(crate) broker: Arc<Counts>,
    /// Events that its broker has confirmed and lost.
    pub(crate) lost: Arc<AtomicU64>,
}

/// Both.
pub(crate) struct Services {
    pub(crate) upstream: Service,
    pub(crate) downstream: Service,
}

impl Services {
    /// Opens both in `folder`.
    pub(crate) async fn open(folder: &Path, conduct: &Conduct) -> anyhow::Result<Self> {
        let broker = MemoryTransport::new("broker");
        // Subscribed before anything is sent, because the in-process broker stores nothing.
        let (orders, answers) = (broker.subscribe("order.placed"), broker.subscribe("order.done"));
        let relay = || RelayOptions { poll: POLL, ..RelayOptions::default() };

        let pool = database(folder, "downstream", include_str!("../sql/downstream.sql")).await?;
        let (transport, counts, lost) = between(&broker, conduct, conduct.seed ^ 1);
        let faults = Faults::new(conduct.handler_failures, conduct.seed ^ 1);
        // In a program of its own it would find its handlers by itself; here those of the shop are left out.
        let builder = Outbox::builder(pool.clone()).without_linked_handlers().handler::<pack>().subscribe("downstream", orders);
        let builder = builder.source(WAREHOUSE).transport(transport).state(faults.clone()).retry(wire::retry()).relay(relay());
        let outbox = builder.start().await.context("starting the outbox of the warehouse")?;
        let downstream = Service { pool, outbox, faults, broker: counts, lost };

        let pool = database(folder, "upstream", include_str!("../sql/upstream.sql")).await?;
        let (transport, counts, lost) = between(&broker, conduct, conduct.seed);
        let faults = Faults::new(conduct.handler_failures, conduct.seed);
        // A failure here means that the order was not sent. Confirmations do not get lost on this line: see `express`.
        let failures = Failures { share: conduct.express_failures, lost_acks: 0.0, seed: conduct.seed ^ 2 };
        let direct = UnreliableBroker::new(Box::new(broker), failures);
        let outbox = Outbox::builder(pool.clone())
            .source(SHOP)
            .transport(Marking::new(transport, pool.clone()))
            .subscribe("upstream", answers)
            .state(faults.clone())
            .state(Schedule(conduct.overdue))
            .state(DirectLine { broker: Arc::new(direct), source: Arc::from(SHOP) })
            .retry(wire::retry())
            .relay(relay())
            .install()
            .await
            .context("starting the outbox of the shop")?;
        let upstream = Service { pool, outbox, faults, broker: counts, lost };
        Ok(Self { upstream, downstream })
    }

    pub(crate) fn both(&self) -> [&Service; 2] {
        [&self.upstream, &self.downstream]
    }
}

async fn database(folder: &Path, name: &str, tables: &'static str) -> anyhow::Result<SqlitePool> {
    let pool = sqlite::connect(folder.join(format!("{name}.db"))).await?;
    sqlx::raw_sql(tables).execute(&pool).await.with_context(|| format!("creating the tables of {name}"))?;
    Ok(pool)
}

/// The way to `broker`, with all that can happen on it.
fn between(broker: &MemoryTransport, conduct: &Conduct, seed: u64) -> (UnreliableBroker, Arc<Counts>, Arc<AtomicU64>) {
    let lossy = LossyBroker::new(broker.clone(), conduct.lost_events, seed);
    let lost = lossy.lost();
    let failures = Failures { share: conduct.broker_failures, lost_acks: conduct.lost_acks, seed };
    let unreliable = UnreliableBroker::new(Box::new(lossy), failures);
    let counts = unreliable.counts();
    (unreliable, counts, lost)
}
