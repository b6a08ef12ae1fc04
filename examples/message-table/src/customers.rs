//! Who places orders, several at once, and waits until they are done.

use crate::{
    arguments::Arguments,
    orders::{self, Order, OrderError},
    services::Services,
};
use anyhow::{Context, bail};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

/// How often one looks whether all is done.
const LOOK: Duration = Duration::from_millis(20);

/// What became of the orders on the customers' side.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Orders that were placed.
    pub(crate) placed: Vec<Order>,
    /// Orders that were rolled back, because the broker did not take them.
    pub(crate) rolled_back: Vec<Order>,
    /// Orders that were placed again under their number, which was refused.
    pub(crate) refused_twice: u64,
}

/// Places all orders.
pub(crate) async fn place_orders(arguments: &Arguments) -> anyhow::Result<Tally> {
    let (mut tally, mut running) = (Tally::default(), JoinSet::new());
    for number in 1..=arguments.orders {
        if running.len() >= usize::from(arguments.concurrency)
            && let Some(done) = running.join_next().await
        {
            tally.add(done??);
        }
        // Each order has dice of its own, so that it does not depend on those before it.
        let mut dice = StdRng::seed_from_u64(arguments.conduct.seed.wrapping_add(u64::from(number)));
        let order = Order { order_no: format!("A-{number:05}"), quantity: dice.random_range(1..=100) };
        let (express, twice) = (dice.random_bool(arguments.express), dice.random_bool(arguments.twice));
        let overdue = arguments.conduct.overdue;
        running.spawn(async move { place(order, express, twice, overdue).await });
    }
    while let Some(done) = running.join_next().await {
        tally.add(done??);
    }
    Ok(tally)
}

/// Waits until every order is done and everything is delivered; `false` if nothing has moved for `patience`.
pub(crate) async fn finish(services: &Services, patience: Duration) -> anyhow::Result<bool> {
    let (mut look, mut moved, mut before) = (interval(LOOK), Instant::now(), None);
    loop {
        look.tick().await;
        let open = "SELECT count(*), coalesce(sum(driven_again), 0) FROM messages WHERE status <> 'done'";
        let (open, driven): (i64, i64) = sqlx::query_as(open).fetch_one(&services.upstream.pool).await?;
        let waiting = (services.upstream.outbox.waiting().await?, services.downstream.outbox.waiting().await?);
        if open == 0 && waiting == (0, 0) {
            return Ok(true);
        }
        let now = Some((open, driven, waiting));
        if now != before {
            (moved, before) = (Instant::now(), now);
        } else if moved.elapsed() >= patience {
            return Ok(false);
        }
    }
}

async fn place(order: Order, express: bool, twice: bool, overdue: Duration) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let placed = if express { orders::place_express(&order, overdue).await } else { orders::place(&order, overdue).await };
    match placed {
        Ok(()) if twice => match orders::place(&order, overdue).await {
            Err(OrderError::AlreadyPlaced(_)) => tally.refused_twice += 1,
            Err(error) => return Err(error).with_context(|| format!("placing order {} again", order.order_no)),
            Ok(()) => bail!("order {} could be placed twice", order.order_no),
        },
        Ok(()) => {}
        Err(OrderError::NotSent(_)) => return Ok(Tally { rolled_back: vec![order], ..tally }),
        Err(error) => return Err(error).with_context(|| format!("placing order {}", order.order_no)),
    }
    tally.placed.push(order);
    Ok(tally)
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.placed.extend(other.placed);
        self.rolled_back.extend(other.rolled_back);
        self.refused_twice += other.refused_twice;
    }
}
