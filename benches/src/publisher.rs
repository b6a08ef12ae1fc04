//! A publisher of one side, ready to be measured.

use crate::database::Database;
use crate::events::{
    Kind, Order, Placed, PlacedForAll, PlacedInOrder, ignore, ignore_1, ignore_2, ignore_3, ignore_4, ignore_5, ignore_in_order,
};
use crate::floor::Floor;
use crate::system::System;
use crate::variant::Variant;
use anyhow::{bail, ensure};
use events_core::{DomainEvent, Publication};
use events_sqlx::{Outbox, OutboxBuilder};
use sqlx::Pool;
use std::time::Duration;

/// What a unit of work publishes beside its business row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    pub(crate) kind: Kind,
    /// Events per unit of work.
    pub(crate) events: u32,
    /// Whether they are delivered and settled at once, or stored for later.
    pub(crate) delivered: bool,
}

/// What is stored for later is due then.
const LATER: Duration = Duration::from_secs(3_600);

/// A publisher of one side.
pub(crate) enum Publisher<S: System> {
    Bare(Floor<S>),
    Floor(Floor<S>),
    Ours(Outbox<S>, Pool<S>),
}

impl<S: System> Publisher<S> {
    pub(crate) async fn start(variant: Variant, database: &Database<S>, tasks: usize, unit: Unit) -> anyhow::Result<Self> {
        let pool = database.pool(tasks).await?;
        Ok(match variant {
            Variant::Bare => Self::Bare(Floor::publisher(pool)),
            Variant::Floor if unit.delivered => Self::Floor(Floor::start(pool, database.relay_pool().await?)),
            Variant::Floor => Self::Floor(Floor::publisher(pool)),
            Variant::Ours => Self::Ours(idle_handlers(Outbox::builder(pool.clone())).start().await?, pool),
            Variant::Peer(name) => bail!("{name} is measured by its own program"),
        })
    }

    /// One unit of work.
    pub(crate) async fn run(&self, unit: Unit, number: u64) -> anyhow::Result<()> {
        let order = &Order::number(number);
        let delay = (!unit.delivered).then_some(LATER);
        match self {
            Self::Bare(floor) => floor.bare(order).await,
            Self::Floor(floor) => floor.publish(order, unit.kind, unit.events, delay).await,
            Self::Ours(outbox, _) => {
                outbox
                    .run(async |uow| {
                        S::insert_order(uow.conn(), order).await?;
                        for _ in 0..unit.events {
                            let _id = match unit.kind {
                                Kind::Plain => publish::<Placed>(order, delay)?,
                                Kind::InOrder => publish::<PlacedInOrder>(order, delay)?,
                                Kind::ForAll => publish::<PlacedForAll>(order, delay)?,
                            };
                        }
                        anyhow::Ok(())
                    })
                    .await
            }
        }
    }

    /// How many deliveries are over.
    pub(crate) fn settled(&self) -> anyhow::Result<u64> {
        match self {
            Self::Bare(_) => Ok(0),
            Self::Floor(floor) => {
                ensure!(!floor.is_broken(), "the consumer of the floor has given up");
                Ok(floor.settled())
            }
            Self::Ours(outbox, _) => {
                let stats = outbox.stats();
                Ok(stats.delivered_from_memory + stats.delivered_by_scanner)
            }
        }
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Bare(floor) | Self::Floor(floor) => floor.stop().await,
            Self::Ours(outbox, pool) => {
                outbox.shutdown_within(Duration::from_secs(1)).await;
                drop(outbox);
                pool.close().await;
                Ok(())
            }
        }
    }
}

/// The handlers that do nothing.
pub(crate) fn idle_handlers<S: System>(builder: OutboxBuilder<S>) -> OutboxBuilder<S> {
    builder
        .without_linked_handlers()
        .handler::<ignore>()
        .handler::<ignore_in_order>()
        .handler::<ignore_1>()
        .handler::<ignore_2>()
        .handler::<ignore_3>()
        .handler::<ignore_4>()
        .handler::<ignore_5>()
}

fn publish<'a, E: DomainEvent + From<&'a Order>>(
    order: &'a Order,
    delay: Option<Duration>,
) -> Result<events_core::EventId, events_core::Error> {
    let publication = Publication::of(E::from(order));
    match delay {
        Some(delay) => publication.delay(delay).publish(),
        None => publication.publish(),
    }
}
