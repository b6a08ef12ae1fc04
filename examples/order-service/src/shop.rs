//! Opens the shop: its database, its outbox, the broker, and the ticketing service on the other side of it.

use crate::{arguments::ShopArguments, declined::DeclinedPayments, receipts::Mailbox, ticketing::Ticketing};
use anyhow::Context;
use events_core::{Backoff, RelayOptions, RetryPolicy};
use events_sqlx::sqlite::{self, Outbox};
use sqlx::SqlitePool;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use wire::{Broker, Consumer, Counts, Failures, UnreliableBroker, Wire};

/// The shop while it is open.
pub(crate) struct Shop {
    pub(crate) pool: SqlitePool,
    pub(crate) outbox: Outbox,
    pub(crate) ticketing: Ticketing,
    pub(crate) broker: Arc<Counts>,
    pub(crate) broker_is_outside: bool,
    pub(crate) declined: DeclinedPayments,
}

impl Shop {
    /// Opens the shop. From here on `UnitOfWork::run` finds its outbox, and what an earlier process left undelivered is delivered.
    pub(crate) async fn open(database: &Path, arguments: &ShopArguments, failures: Failures) -> anyhow::Result<Self> {
        let pool = sqlite::connect(database).await.with_context(|| format!("opening {}", database.display()))?;
        sqlx::raw_sql(include_str!("../sql/shop.sql")).execute(&pool).await.context("creating the shop's tables")?;

        // Other shops may be at the same broker: this one has a name, and so has its ticketing service.
        let name: String = sqlx::query_scalar("SELECT name FROM shop").fetch_one(&pool).await.context("reading the shop's name")?;
        let source = format!("/orders/{name}");
        let broker = Broker::of(arguments.broker.as_deref(), env!("CARGO_PKG_NAME"));
        let ticketing = Consumer { name: format!("ticketing-{name}"), topics: "order.*" };
        let wire = Wire::open(&broker, &ticketing, &[]).await?;
        let ticketing = Ticketing::start(&database.with_extension("ticketing.db"), &source, wire.subscription).await?;
        let unreliable = UnreliableBroker::new(wire.transport, failures);
        let broker = unreliable.counts();
        let declined = DeclinedPayments::default();

        let outbox = Outbox::builder(pool.clone())
            .source(source)
            .state(Mailbox::new(pool.clone()))
            .state(declined.clone())
            .transport(unreliable)
            .retry(RetryPolicy::default().attempts(20).backoff(BACKOFF))
            .relay(RelayOptions { lease: arguments.lease, poll: POLL, ..RelayOptions::default() })
            .install()
            .await?;
        Ok(Self { pool, outbox, ticketing, broker, broker_is_outside: arguments.broker.is_some(), declined })
    }

    /// Closes the shop: deliveries under way finish, the rest stays in the outbox for the next time.
    pub(crate) async fn close(self) {
        self.outbox.shutdown().await;
        self.ticketing.stop().await;
        self.pool.close().await;
    }
}

/// A demonstration must not take half an hour to recover, so it looks and retries more often than the defaults do.
const POLL: Duration = Duration::from_millis(100);
const BACKOFF: Backoff = Backoff::Exponential { first: Duration::from_millis(50), max: Duration::from_secs(2) };

/// The database file: the one that was named, or one in a new temporary folder, which stays so that one can look into it.
pub(crate) fn database(arguments: &ShopArguments) -> anyhow::Result<PathBuf> {
    match &arguments.database {
        Some(file) => Ok(file.clone()),
        None => {
            let folder = tempfile::Builder::new().prefix("order-service-").tempdir().context("creating a temporary folder")?;
            Ok(folder.keep().join("orders.db"))
        }
    }
}
