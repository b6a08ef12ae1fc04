//! Reads what both services have written down.

use crate::{services::Services, status::Status};
use std::collections::HashMap;

/// The tables of both.
#[derive(Debug)]
pub(crate) struct Books {
    /// The shop's message table, by order number.
    pub(crate) messages: HashMap<String, Row>,
    /// What the warehouse has packed: order numbers and quantities.
    pub(crate) parcels: Vec<(String, i64)>,
    /// How often an order came to the warehouse again as another event.
    pub(crate) repeats: u64,
    /// How often an order was sent again because it was overdue.
    pub(crate) driven_again: u64,
    /// Deliveries that still wait, and dead letters; of both.
    pub(crate) waiting: u64,
    pub(crate) dead: u64,
}

/// A row of the shop's message table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) status: Status,
    pub(crate) version: i64,
}

impl Books {
    pub(crate) async fn read(services: &Services) -> anyhow::Result<Self> {
        let (shop, warehouse) = (&services.upstream.pool, &services.downstream.pool);
        let rows: Vec<(String, String, i64)> = sqlx::query_as("SELECT order_no, status, version FROM messages").fetch_all(shop).await?;
        let mut messages = HashMap::new();
        for (order_no, status, version) in rows {
            messages.insert(order_no, Row { status: status.parse().map_err(anyhow::Error::msg)?, version });
        }
        let repeats: i64 = sqlx::query_scalar("SELECT coalesce(sum(repeats), 0) FROM messages").fetch_one(warehouse).await?;
        let driven: i64 = sqlx::query_scalar("SELECT coalesce(sum(driven_again), 0) FROM messages").fetch_one(shop).await?;
        let (mut waiting, mut dead) = (0, 0);
        for service in services.both() {
            waiting += service.outbox.waiting().await?;
            dead += service.outbox.dead_count().await?;
        }
        Ok(Self {
            messages,
            parcels: sqlx::query_as("SELECT order_no, quantity FROM parcels").fetch_all(warehouse).await?,
            repeats: repeats.unsigned_abs(),
            driven_again: driven.unsigned_abs(),
            waiting,
            dead,
        })
    }
}
