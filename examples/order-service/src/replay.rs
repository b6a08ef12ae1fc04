//! Lives the past again: places, pays and ships orders, several at once, each through the commands that the HTTP API uses.

use crate::{
    arguments::ReplayArguments,
    bank::{EMPTY_CARD, GOOD_CARD},
    northwind::PastOrder,
    orders::{self, OrderError},
    shop::Shop,
    status::Status,
};
use anyhow::Context;
use events_sqlx::sqlite::Outbox;
use indicatif::{ProgressBar, ProgressStyle};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::SqlitePool;
use std::time::Duration;
use tokio::{task::JoinSet, time::Instant};

/// What the replay did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Units of work that were committed.
    pub(crate) committed: u64,
    /// Units of work that were rolled back, because a card was declined.
    pub(crate) rolled_back: u64,
    /// From the first order to the last.
    pub(crate) took: Duration,
    /// From the last order to the last delivery.
    pub(crate) drained_in: Duration,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.committed += other.committed;
        self.rolled_back += other.rolled_back;
    }
}

/// Replays `past` and waits until everything is delivered. What an earlier run has done already is not done again.
pub(crate) async fn run(shop: &Shop, past: &[PastOrder], arguments: &ReplayArguments, seed: u64) -> anyhow::Result<Tally> {
    let progress = bar(past.len());
    let begun = Instant::now();
    let mut tally = Tally::default();
    let mut running = JoinSet::new();
    let mut finished = |done: Result<anyhow::Result<Tally>, tokio::task::JoinError>| -> anyhow::Result<()> {
        tally.add(&done??);
        progress.inc(1);
        Ok(())
    };
    for past in past {
        if running.len() >= usize::from(arguments.concurrency)
            && let Some(done) = running.join_next().await
        {
            finished(done)?;
        }
        let mut dice = StdRng::seed_from_u64(seed.wrapping_add_signed(past.order_id));
        let declined_at_first = dice.random_bool(arguments.decline);
        let (past, pool) = (past.clone(), shop.pool.clone());
        running.spawn(async move { relive(&pool, &past, declined_at_first).await.with_context(|| format!("order {}", past.order_id)) });
    }
    while let Some(done) = running.join_next().await {
        finished(done)?;
    }
    progress.finish_and_clear();
    tally.took = begun.elapsed();
    let drained = Instant::now();
    drain(&shop.outbox, arguments.deadline).await?;
    let sent: i64 =
        sqlx::query_scalar("SELECT (SELECT count(*) FROM payments) + (SELECT count(*) FROM shipments)").fetch_one(&shop.pool).await?;
    shop.ticketing.hear(sent, arguments.deadline.saturating_sub(drained.elapsed())).await?;
    tally.drained_in = drained.elapsed();
    Ok(tally)
}

/// Takes one order as far as it got in the past, from wherever an earlier run has left it.
async fn relive(pool: &SqlitePool, past: &PastOrder, declined_at_first: bool) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut card = if declined_at_first { EMPTY_CARD } else { GOOD_CARD };
    loop {
        let done = match orders::status(pool, past.order_id).await? {
            None => orders::place(&past.order).await.map(drop),
            Some(Status::Placed) => orders::pay(past.order_id, std::mem::replace(&mut card, GOOD_CARD)).await.map(drop),
            Some(Status::Paid) if past.was_shipped => orders::ship(past.order_id).await,
            Some(Status::Paid | Status::Shipped | Status::Cancelled) => return Ok(tally),
        };
        match done {
            Ok(()) => tally.committed += 1,
            Err(OrderError::Declined(_)) => tally.rolled_back += 1,
            // Another process replays into the same database and was faster.
            Err(OrderError::AlreadyPlaced(_) | OrderError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until the outbox is empty, events caused by events included, at most for `deadline`.
async fn drain(outbox: &Outbox, deadline: Duration) -> anyhow::Result<()> {
    let progress = ProgressBar::new_spinner();
    let begun = Instant::now();
    let mut look = tokio::time::interval(Duration::from_millis(20));
    loop {
        look.tick().await;
        let waiting = outbox.waiting().await?;
        if waiting == 0 || begun.elapsed() >= deadline {
            progress.finish_and_clear();
            return Ok(());
        }
        progress.set_message(format!("{waiting} deliveries to go"));
        progress.tick();
    }
}

/// Shown on a terminal only; elsewhere it stays silent.
fn bar(length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} orders, {elapsed}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style)
}
