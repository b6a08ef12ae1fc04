//! What a careful engineer writes by hand for the same promise. Knows the tables of the outbox, but nothing of this library.
//!
//! One INSERT in the business transaction writes the events, leased to this process with a token of their own. After COMMIT they go
//! through a bounded channel to one consumer, which decodes them, calls the handler and deletes what was delivered, by id and token, up
//! to 1,000 in one statement that is a transaction of its own. Under load it lingers for 5 ms, so that a COMMIT is shared by many. A
//! backlog is leased 1,000 rows at a time with SKIP LOCKED, oldest first, and deleted in the same way.
//!
//! What it leaves out, because the promise can be kept without: statistics, retries of what fails, back-pressure beyond a full channel,
//! renewal of leases, order per key, dead letters.

use crate::events::{Kind, Order, Placed};
use crate::system::{self, Row, System};
use anyhow::ensure;
use serde::Serialize;
use sqlx::types::Uuid;
use sqlx::types::time::OffsetDateTime;
use sqlx::{Pool, Transaction};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard, mpsc};
use tokio::task::JoinHandle;

/// At most so many rows are leased or deleted at once.
const BATCH: usize = 1_000;
/// As many deliveries may be on their way from the publishers to the consumer.
const CHANNEL: usize = 2_048;
/// How long deletions gather under load.
const LINGER: Duration = Duration::from_millis(5);

/// A delivery on its way through the process.
struct Delivery {
    id: Uuid,
    token: Uuid,
    payload: Arc<[u8]>,
}

/// A hand-written outbox.
pub(crate) struct Floor<S: System> {
    pool: Pool<S>,
    /// A database with one writer needs a line of its own; without it every second task would sleep in the busy handler.
    writer: Arc<Mutex<()>>,
    deliveries: Option<mpsc::Sender<Delivery>>,
    settled: Arc<AtomicU64>,
    consumer: Option<JoinHandle<anyhow::Result<()>>>,
}

impl<S: System> Floor<S> {
    /// One that only writes rows.
    pub(crate) fn publisher(pool: Pool<S>) -> Self {
        Self { pool, writer: Arc::default(), deliveries: None, settled: Arc::default(), consumer: None }
    }

    /// One that delivers, too.
    pub(crate) fn start(pool: Pool<S>, relay: Pool<S>) -> Self {
        let (deliveries, arrivals) = mpsc::channel(CHANNEL);
        let (writer, settled) = (Arc::default(), Arc::default());
        let consumer = tokio::spawn(consume::<S>(relay, Arc::clone(&writer), arrivals, Arc::clone(&settled)));
        Self { pool, writer, deliveries: Some(deliveries), settled, consumer: Some(consumer) }
    }

    /// How many deliveries were deleted.
    pub(crate) fn settled(&self) -> u64 {
        self.settled.load(Relaxed)
    }

    /// Whether the consumer has given up.
    pub(crate) fn is_broken(&self) -> bool {
        self.consumer.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// One transaction with the business row alone.
    pub(crate) async fn bare(&self, order: &Order) -> anyhow::Result<()> {
        let (mut tx, _writer) = self.begin().await?;
        S::insert_order(&mut tx, order).await?;
        S::commit(tx).await?;
        Ok(())
    }

    /// One transaction: the business row and the rows of its events.
    pub(crate) async fn publish(&self, order: &Order, kind: Kind, events: u32, delay: Option<Duration>) -> anyhow::Result<()> {
        let (mut tx, writer) = self.begin().await?;
        S::insert_order(&mut tx, order).await?;
        let key = (kind == Kind::InOrder).then(|| order.customer_id.to_string());
        let token = delay.is_none().then(Uuid::new_v4);
        let mut events_written = Vec::new();
        for _ in 0..events {
            events_written.push((Uuid::now_v7(), Arc::<[u8]>::from(payload(order)?)));
        }
        let rows: Vec<Row<'_>> = events_written
            .iter()
            .flat_map(|(event_id, payload)| kind.targets().iter().map(move |target| (event_id, payload, *target)))
            .map(|(event_id, payload, target)| Row {
                id: Uuid::now_v7(),
                event_id: *event_id,
                target,
                topic: kind.topic(),
                key: key.as_deref(),
                // The floor does not number the events of a key; that is part of what order costs.
                key_seq: key.as_ref().and_then(|_| i64::try_from(order.number).ok()),
                payload,
                occurred_at: OffsetDateTime::now_utc(),
                visible_in: delay.unwrap_or(system::LEASE),
                delay,
                token,
            })
            .collect();
        S::insert_by_hand(&mut tx, &rows).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        S::commit(tx).await?;
        drop(writer);
        if let (Some(deliveries), Some(token)) = (&self.deliveries, token) {
            let targets = kind.targets().len();
            for (place, id) in ids.into_iter().enumerate() {
                deliveries.send(Delivery { id, token, payload: Arc::clone(&events_written[place / targets].1) }).await?;
            }
        }
        Ok(())
    }

    async fn begin(&self) -> anyhow::Result<(Transaction<'static, S>, Option<MutexGuard<'_, ()>>)> {
        let writer = if S::PARALLEL { None } else { Some(self.writer.lock().await) };
        Ok((S::begin_writing(&self.pool).await?, writer))
    }

    /// Lets the consumer finish and closes the connections.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.deliveries = None;
        if let Some(consumer) = self.consumer.take() {
            consumer.await??;
        }
        self.pool.close().await;
        Ok(())
    }
}

/// What is stored for an order.
pub(crate) fn payload(order: &Order) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Fields<'a> {
        order_id: u64,
        customer_id: i64,
        amount_cents: i64,
        note: &'a str,
    }
    let Order { number, customer_id, amount_cents, note } = order;
    serde_json::to_vec(&Fields { order_id: *number, customer_id: *customer_id, amount_cents: *amount_cents, note })
}

async fn consume<S: System>(
    pool: Pool<S>,
    writer: Arc<Mutex<()>>,
    mut arrivals: mpsc::Receiver<Delivery>,
    settled: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut last_write: Option<Instant> = None;
    while arrivals.recv_many(&mut batch, BATCH).await > 0 {
        if let Some(wait) = last_write.and_then(|last| LINGER.checked_sub(last.elapsed()))
            && batch.len() < BATCH
        {
            tokio::time::sleep(wait).await;
            while batch.len() < BATCH
                && let Ok(delivery) = arrivals.try_recv()
            {
                batch.push(delivery);
            }
        }
        for delivery in &batch {
            handle(&delivery.payload).await?;
        }
        // In one order with everybody else who locks rows.
        batch.sort_unstable_by_key(|delivery| delivery.id);
        let (ids, tokens): (Vec<Uuid>, Vec<Uuid>) = batch.drain(..).map(|delivery| (delivery.id, delivery.token)).unzip();
        let wanted = ids.len();
        let turn = if S::PARALLEL { None } else { Some(writer.lock().await) };
        let deleted = S::delete_by_hand(&pool, ids, tokens).await?;
        drop(turn);
        ensure!(deleted == wanted as u64, "the floor lost leases");
        settled.fetch_add(deleted, Relaxed);
        last_write = Some(Instant::now());
    }
    pool.close().await;
    Ok(())
}

/// The handler that does nothing.
async fn handle(payload: &[u8]) -> anyhow::Result<()> {
    std::hint::black_box(serde_json::from_slice::<Placed>(payload)?);
    Ok(())
}

/// Leases and deletes until `enough` are gone or nothing is due; `done` hears of each batch.
pub(crate) async fn drain<S: System>(pool: &Pool<S>, target: &str, enough: u64, done: impl Fn(u64)) -> anyhow::Result<u64> {
    let mut drained = 0;
    while drained < enough {
        let token = Uuid::new_v4();
        let rows = S::lease_by_hand(pool, target, i64::try_from(BATCH)?, token).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            handle(&row.payload).await?;
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let tokens = vec![token; ids.len()];
        drained += S::delete_by_hand(pool, ids, tokens).await?;
        done(drained);
    }
    Ok(drained)
}
