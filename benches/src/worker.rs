//! The other end of [`Child`](crate::child::Child): a relay in a process of its own.

use crate::events::{Arrivals, Holding, Kind, hold_or_note, note_arrival};
use crate::publisher::idle_handlers;
use crate::system::{System, SystemName};
use crate::variant::Variant;
use crate::{floor, process};
use events_core::RelayOptions;
use events_sqlx::Outbox;
use serde::{Deserialize, Serialize};
use sqlx::{MySql, Pool, Postgres, Sqlite};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// What a worker does, as its argument says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Worker {
    pub(crate) system: SystemName,
    pub(crate) url: String,
    pub(crate) work: Work,
}

/// The work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Drains by hand.
    DrainByHand,
    /// Drains with this library.
    Drain,
    /// Notes when urgent events arrive.
    Note,
    /// Leases events and holds them; or notes when they arrive.
    HoldOrNote { hold: bool, lease: Duration },
}

/// What a worker did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) cpu: Option<Duration>,
    pub(crate) peak_mb: Option<f64>,
    pub(crate) arrivals: Vec<u64>,
}

/// How often a worker tells how far it is.
const TELL_EVERY: Duration = Duration::from_millis(5);

impl Worker {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.system {
            SystemName::Postgres => self.run_on::<Postgres>().await,
            SystemName::Mysql => self.run_on::<MySql>().await,
            SystemName::Sqlite => self.run_on::<Sqlite>().await,
        }
    }

    async fn run_on<S: System>(self) -> anyhow::Result<()> {
        let mut orders = BufReader::new(tokio::io::stdin()).lines();
        let pool = S::connect(&self.url, 2, true).await?;
        drop(pool.acquire().await?);
        println!("ready");
        orders.next_line().await?;
        let cpu = process::cpu();
        let arrivals = match self.work {
            Work::DrainByHand => drain_by_hand(&pool, &mut orders).await?,
            Work::Drain => {
                let outbox = idle_handlers(Outbox::builder(pool)).start().await?;
                relay(&outbox, || outbox.stats().delivered_by_scanner, &mut orders).await;
                Vec::new()
            }
            Work::Note => {
                let arrivals = Arrivals::default();
                let builder = Outbox::builder(pool).without_linked_handlers().handler::<note_arrival>().state(arrivals.clone());
                let outbox = builder.start().await?;
                relay(&outbox, || arrivals.count(), &mut orders).await;
                arrivals.all()
            }
            Work::HoldOrNote { hold, lease } => {
                let arrivals = Arrivals::default();
                let builder = Outbox::builder(pool).without_linked_handlers().handler::<hold_or_note>();
                let builder = builder.state(arrivals.clone()).state(Holding(hold)).relay(RelayOptions { lease, ..RelayOptions::default() });
                let outbox = builder.start().await?;
                let so_far = || if hold { outbox.in_flight() as u64 } else { arrivals.count() };
                relay(&outbox, so_far, &mut orders).await;
                arrivals.all()
            }
        };
        let cpu = process::cpu().zip(cpu).and_then(|(after, before)| after.checked_sub(before));
        println!("{}", serde_json::to_string(&Report { cpu, peak_mb: process::peak_mb(), arrivals })?);
        Ok(())
    }
}

/// Relays until it is told to stop.
async fn relay<S: System>(outbox: &Outbox<S>, so_far: impl Fn() -> u64, orders: &mut Lines<BufReader<Stdin>>) {
    let mut told = 0;
    let mut timer = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            _ = orders.next_line() => break,
            _ = timer.tick() => {
                let so_far = so_far();
                if so_far > told {
                    println!("{so_far}");
                    told = so_far;
                }
            }
        }
    }
    outbox.shutdown_within(Duration::from_secs(1)).await;
}

async fn drain_by_hand<S: System>(pool: &Pool<S>, orders: &mut Lines<BufReader<Stdin>>) -> anyhow::Result<Vec<u64>> {
    floor::drain(pool, Kind::Plain.targets()[0], u64::MAX, |drained| {
        println!("{drained}");
    })
    .await?;
    orders.next_line().await?;
    Ok(Vec::new())
}

impl Work {
    /// Who drains in the name of a side.
    pub(crate) fn drain(variant: Variant) -> Self {
        if variant == Variant::Floor { Self::DrainByHand } else { Self::Drain }
    }
}
