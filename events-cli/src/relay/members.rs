//! The outboxes that a daemon relays from, as a configuration names them.

use super::shared::Shared;
use crate::config::Named;
use anyhow::{Context, bail};
use async_trait::async_trait;
use events_core::{AnyOutbox, Error, LoopHealth, Outboxes, PayloadKeys, RelayOptions, Stats};
use events_sqlx::{Backend, Outbox};
use sqlx::{Pool, mysql::MySqlPoolOptions, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};
use std::time::Duration;

/// Connections of the daemon for what is neither relay nor heartbeat.
const CONNECTIONS: u32 = 2;

/// An outbox of any database system.
struct Member(Box<dyn AnyOutbox>);

#[async_trait]
impl AnyOutbox for Member {
    fn stats(&self) -> Stats {
        self.0.stats()
    }

    fn health(&self) -> Vec<LoopHealth> {
        self.0.health()
    }

    fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    async fn waiting(&self) -> Result<u64, Error> {
        self.0.waiting().await
    }

    async fn dead_count(&self) -> Result<u64, Error> {
        self.0.dead_count().await
    }

    async fn shutdown_within(&self, deadline: Duration) -> usize {
        self.0.shutdown_within(deadline).await
    }
}

/// What all outboxes of a daemon have in common.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) transport: Shared,
    pub(crate) options: RelayOptions,
    /// Brokers get payloads in clear, so what is encrypted in the database has to be opened.
    pub(crate) keys: Option<PayloadKeys>,
}

/// Adds an outbox to the group; it is started in the background, again and again until its database is there.
pub(crate) fn add(outboxes: &Outboxes, named: &Named, terms: &Terms) -> anyhow::Result<()> {
    let (database, terms) = (named.clone(), terms.clone());
    let start = move || {
        let (database, terms) = (database.clone(), terms.clone());
        async move { start(&database, terms).await.map_err(anyhow::Error::into_boxed_dyn_error) }
    };
    outboxes.add(&*named.name, start).with_context(|| format!("the database `{}`", named.name))
}

async fn start(named: &Named, terms: Terms) -> anyhow::Result<Member> {
    let Named { url, schema, .. } = named;
    let unreadable = "its URL cannot be read; percent-encode what is special in user and password";
    Ok(match url.split_once(':').map(|(system, _)| system) {
        Some("postgres" | "postgresql") => {
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_lazy(url).context(unreadable)?;
            let builder = Outbox::builder(pool);
            let builder = match schema {
                Some(schema) => builder.schema(schema.clone()),
                None => builder,
            };
            Member(Box::new(relaying(builder, named, terms).await?))
        }
        Some("mysql" | "mariadb") => {
            let pool = MySqlPoolOptions::new().max_connections(CONNECTIONS).connect_lazy(url).context(unreadable)?;
            let builder = Outbox::builder(pool);
            let builder = match schema {
                Some(schema) => builder.schema(schema.clone()),
                None => builder,
            };
            Member(Box::new(relaying(builder, named, terms).await?))
        }
        Some("sqlite") => {
            let given: sqlx::sqlite::SqliteConnectOptions = url.parse().context(unreadable)?;
            let connect = events_sqlx::sqlite::connect_options(given.get_filename()).create_if_missing(false);
            let pool: Pool<sqlx::Sqlite> = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_lazy_with(connect);
            Member(Box::new(relaying(Outbox::builder(pool), named, terms).await?))
        }
        _ => bail!("its URL must begin with `postgres:`, `mysql:` or `sqlite:`"),
    })
}

/// An outbox whose only target is the broker: what handlers are to get is left to the processes that have them. The tables are those of the
/// programs that publish; a daemon of another release must not change them.
async fn relaying<DB: Backend>(
    builder: events_sqlx::OutboxBuilder<DB>,
    named: &Named,
    Terms { transport, options, keys }: Terms,
) -> Result<Outbox<DB>, Error> {
    let builder = builder.without_linked_handlers().without_migrations().allow_unrouted().transport(transport).relay(options);
    let builder = match keys {
        Some(keys) => builder.encrypt(keys),
        None => builder,
    };
    // As its gauges have it.
    builder.name(&*named.name).start().await
}
