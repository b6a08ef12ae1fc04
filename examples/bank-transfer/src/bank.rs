//! A bank, open: its database, its outbox, and its ends of the wire.

use crate::{account, arguments::Conduct, database::Database, role::Role, site::Site};
use anyhow::Context;
use events_core::RelayOptions;
use events_sqlx::Outbox;
use sqlx::Pool;
use std::{sync::Arc, time::Duration};
use wire::{Broker, Counts, Failures, Faults, OnlyFrom, UnreliableBroker, Wire};

/// How long the scanner pauses at most. A demonstration recovers more quickly than the default lets it.
const POLL: Duration = Duration::from_millis(100);
/// An example is killed again and again, and no event is to blame for that.
const MAX_ABANDONED: u32 = 1_000;

/// One of the two services while it is open.
pub(crate) struct Bank<D: Database> {
    pub(crate) pool: Pool<D>,
    pub(crate) outbox: Outbox<D>,
    /// What its broker did on purpose, and its handlers.
    pub(crate) broker: Arc<Counts>,
    pub(crate) faults: Faults,
}

impl<D: Database> Bank<D> {
    /// Opens a bank. What an earlier process left undelivered is delivered from here on.
    pub(crate) async fn open(role: Role, site: &Site<D>, broker: &Broker, conduct: &Conduct) -> anyhow::Result<Self> {
        let name = role.as_str();
        let pool = site.open(name).await.with_context(|| format!("opening the database of {name}"))?;
        D::create(&pool, role.tables()).await.with_context(|| format!("creating the tables of {name}"))?;
        account::open::<D>(&pool, &role.opening()).await.with_context(|| format!("opening the accounts of {name}"))?;

        let (me, other) = (role.consumer(&site.name), role.other().consumer(&site.name));
        let wire = Wire::open(broker, &me, &[other]).await?;
        let seed = conduct.seed ^ role as u64;
        // A broker outside has failures of its own.
        let (share, lost_acks) = if broker.is_outside() { (0.0, 0.0) } else { (conduct.broker_failures, conduct.lost_acks) };
        let transport = UnreliableBroker::new(wire.transport, Failures { share, lost_acks, seed });
        let (counts, faults) = (transport.counts(), Faults::new(conduct.handler_failures, seed));

        let builder = Outbox::builder(pool.clone())
            .source(role.source(&site.name))
            .state(faults.clone())
            .transport(transport)
            .subscribe(name, OnlyFrom::new(role.other().source(&site.name), wire.subscription))
            .retry(wire::retry())
            .relay(RelayOptions { lease: conduct.lease, poll: POLL, max_abandoned: MAX_ABANDONED, ..RelayOptions::default() });
        let builder = match role {
            Role::Bank1 => builder.handler::<D::Complete>().handler::<D::GiveBack>(),
            Role::Bank2 => builder.handler::<D::Credit>(),
        };
        // Started, not installed: the installed outbox is one per process and system, and there may be two banks here.
        let outbox = builder.start().await.with_context(|| format!("starting the outbox of {name}"))?;
        Ok(Self { pool, outbox, broker: counts, faults })
    }

    /// Closes it: deliveries under way finish, the rest stays in the outbox for the next time.
    pub(crate) async fn close(self) {
        self.outbox.shutdown().await;
        self.pool.close().await;
    }
}
