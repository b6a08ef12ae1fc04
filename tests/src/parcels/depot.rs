//! Where parcels are packed: a database, and the handlers on it.

use super::{Ordered, Packed};
use crate::{Harness, OnMySql, OnPostgres};
use events_core::{DeliveryError, HandlerFn, after_commit, subscribe};
use events_sqlx::{Backend, UnitOfWork};
use sqlx::Pool;
use std::future::Future;

/// A database on a server that stays alive.
pub trait Depot: Harness {
    /// How a packer is told which system it is.
    const NAME: &'static str;
    /// A `#[subscribe]` handler of [`Ordered`] that calls `pack`.
    type Pack: HandlerFn;
    /// A handler of [`Packed`] that calls `ship`.
    type Ship: HandlerFn;

    /// Where it is, for other processes.
    fn url(&self) -> String;

    /// Makes the tables. They have no keys: what is written twice is there twice.
    fn furnish(pool: &Pool<Self::Db>) -> impl Future<Output = ()> + Send {
        async {
            let mut conn = pool.acquire().await.unwrap();
            for table in ["packed", "shipped"] {
                Self::Db::execute(&mut *conn, format!("CREATE TABLE {table} (n BIGINT NOT NULL)")).await.unwrap();
            }
        }
    }
}

impl Depot for OnPostgres {
    const NAME: &'static str = "postgres";
    type Pack = pack_on_postgres;
    type Ship = ship_on_postgres;

    fn url(&self) -> String {
        Self::url(self)
    }
}

impl Depot for OnMySql {
    const NAME: &'static str = "mysql";
    type Pack = pack_on_mysql;
    type Ship = ship_on_mysql;

    fn url(&self) -> String {
        Self::url(self)
    }
}

async fn pack<DB: Backend>(event: Ordered, uow: &mut UnitOfWork<DB>) -> Result<(), DeliveryError> {
    DB::execute(uow.conn(), format!("INSERT INTO packed (n) VALUES ({})", event.n)).await?;
    uow.publish(Packed { n: event.n })?;
    Ok(())
}

async fn ship<DB: Backend>(event: Packed, uow: &mut UnitOfWork<DB>) -> Result<(), DeliveryError> {
    DB::execute(uow.conn(), format!("INSERT INTO shipped (n) VALUES ({})", event.n)).await?;
    Ok(())
}

/// Packs on PostgreSQL.
#[subscribe(group = "packing", name = "pack", manual)]
pub async fn pack_on_postgres(event: Ordered, uow: &mut events_sqlx::postgres::UnitOfWork) -> Result<(), DeliveryError> {
    pack(event, uow).await
}

/// Ships on PostgreSQL.
#[after_commit(name = "ship", manual)]
pub async fn ship_on_postgres(event: Packed, uow: &mut events_sqlx::postgres::UnitOfWork) -> Result<(), DeliveryError> {
    ship(event, uow).await
}

/// Packs on MySQL.
#[subscribe(group = "packing", name = "pack", manual)]
pub async fn pack_on_mysql(event: Ordered, uow: &mut events_sqlx::mysql::UnitOfWork) -> Result<(), DeliveryError> {
    pack(event, uow).await
}

/// Ships on MySQL.
#[after_commit(name = "ship", manual)]
pub async fn ship_on_mysql(event: Packed, uow: &mut events_sqlx::mysql::UnitOfWork) -> Result<(), DeliveryError> {
    ship(event, uow).await
}
