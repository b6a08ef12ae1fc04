//! Makes transfers, several at once, and waits until the last one has ended.

use crate::{
    bank::Bank,
    database::Database,
    plan::Plan,
    transfer::{self, State},
};
use anyhow::Context;
use std::{collections::HashSet, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

/// How often it looks whether all is done.
const LOOK: Duration = Duration::from_millis(50);

/// Makes the first `transfers` transfers of a plan; those that an earlier run has made are not made again. Returns how many it made.
pub(crate) async fn make<D: Database>(bank1: &Bank<D>, plan: Plan, transfers: i64, concurrency: u16) -> anyhow::Result<u64> {
    let mut made_before = HashSet::new();
    let mut conn = bank1.pool.acquire().await?;
    for state in State::ALL {
        made_before.extend(transfer::list::<D>(&mut conn, state).await?.into_iter().map(|transfer| transfer.transfer_id));
    }
    drop(conn);
    let (mut running, mut made) = (JoinSet::new(), 0);
    for transfer_id in (1..=transfers).filter(|id| !made_before.contains(id)) {
        if running.len() >= usize::from(concurrency)
            && let Some(done) = running.join_next().await
        {
            let _: State = done??;
        }
        let (outbox, transfer) = (bank1.outbox.clone(), plan.transfer(transfer_id));
        running.spawn(async move { transfer::request(&outbox, transfer).await.with_context(|| format!("transfer {transfer_id}")) });
        made += 1;
    }
    while let Some(done) = running.join_next().await {
        let _: State = done??;
    }
    Ok(made)
}

/// Waits until every transfer of bank1 has ended and all these banks have delivered everything; `false` if nothing has moved for `patience`.
pub(crate) async fn finish<D: Database>(banks: &[&Bank<D>], patience: Duration) -> anyhow::Result<bool> {
    let Some(bank1) = banks.first() else { return Ok(true) };
    let (mut look, mut moved, mut before) = (interval(LOOK), Instant::now(), Vec::new());
    loop {
        look.tick().await;
        let mut left = vec![transfer::count_open::<D>(&mut *bank1.pool.acquire().await?).await?.unsigned_abs()];
        for bank in banks {
            left.push(bank.outbox.waiting().await?);
        }
        if left.iter().all(|left| *left == 0) {
            return Ok(true);
        }
        if left != before {
            (moved, before) = (Instant::now(), left);
        } else if moved.elapsed() >= patience {
            return Ok(false);
        }
    }
}
