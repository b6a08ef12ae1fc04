//! For people and for maintenance: lists, counts, redrive, discard, purge.

use crate::dead_letters::DeadLetter;
use crate::deliveries::{Filter, Waiting, WaitingState};
use crate::postgres::Terms;
use crate::postgres::rows::{envelope, ids as id_array};
use crate::rows::history;
use crate::statements::Statement;
use events_core::{DeliveryId, Orphans, millis_of};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::types::Uuid;
use sqlx::{PgPool, Postgres, Row, query, query_as, query_scalar};
use std::{sync::Arc, time::Duration};

pub(crate) async fn count(pool: &PgPool, statement: &Statement) -> sqlx::Result<u64> {
    let count: i64 = query_scalar(statement.sql()).fetch_one(pool).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(crate) async fn waiting(pool: &PgPool, filter: &Filter, terms: Terms<'_>) -> sqlx::Result<Vec<Waiting>> {
    let rows = filtered(&terms.sql.waiting, filter).bind(terms.now).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                id: DeliveryId(row.try_get::<Uuid, _>(0)?),
                target: row.try_get(2)?,
                envelope: envelope(row, 1, 3),
                state: WaitingState::named(row.try_get(15)?),
                visible_at: row.try_get(16)?,
                failed: number(row, 11)?,
                abandoned: number(row, 12)?,
                failures: history(row.try_get(14)?, row.try_get(13)?, number(row, 11)?),
            })
        })
        .collect()
}

pub(crate) async fn dead(pool: &PgPool, filter: &Filter, terms: Terms<'_>) -> sqlx::Result<Vec<DeadLetter>> {
    let rows = filtered(&terms.sql.dead, filter).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(DeadLetter {
                id: DeliveryId(row.try_get::<Uuid, _>(0)?),
                target: row.try_get(2)?,
                envelope: envelope(row, 1, 3),
                reason: row.try_get(12)?,
                attempts: number(row, 11)?,
                failures: history(row.try_get(14)?, row.try_get(13)?, number(row, 11)?),
                died_at: row.try_get(15)?,
            })
        })
        .collect()
}

fn number(row: &PgRow, column: usize) -> sqlx::Result<u32> {
    Ok(u32::try_from(row.try_get::<i32, _>(column)?).unwrap_or(0))
}

/// The filter's parameters, which come first in every list.
fn filtered<'q>(statement: &Statement, filter: &Filter) -> Query<'q, Postgres, PgArguments> {
    query(statement.sql())
        .bind(filter.id.map(|id| id.0))
        .bind(filter.target.clone())
        .bind(filter.topic.clone())
        .bind(filter.key.clone())
        .bind(i64::from(filter.limit))
}

pub(crate) async fn redrive(conn: &mut PgConnection, ids: &[DeliveryId], terms: Terms<'_>) -> sqlx::Result<u64> {
    query(terms.sql.redrive_copy.sql()).bind(id_array(ids)).bind(terms.now).execute(&mut *conn).await?;
    discard(conn, ids, terms).await
}

pub(crate) async fn discard(conn: &mut PgConnection, ids: &[DeliveryId], terms: Terms<'_>) -> sqlx::Result<u64> {
    Ok(query(terms.sql.dead_delete.sql()).bind(id_array(ids)).execute(conn).await?.rows_affected())
}

pub(crate) async fn purge(conn: &mut PgConnection, archive_for: Option<Duration>, limit: u32, terms: Terms<'_>) -> sqlx::Result<u64> {
    let limit = i64::from(limit);
    let keys: Vec<String> = query_scalar(terms.sql.purge_candidates.sql()).bind(limit).fetch_all(&mut *conn).await?;
    let mut removed = 0;
    if !keys.is_empty() {
        removed = query(terms.sql.purge_keys.sql()).bind(keys).execute(&mut *conn).await?.rows_affected();
    }
    if let Some(keep) = archive_for {
        let purge = query(terms.sql.purge_archive.sql()).bind(millis_of(keep)).bind(terms.now).bind(limit);
        removed = removed.max(purge.execute(conn).await?.rows_affected());
    }
    Ok(removed)
}

pub(crate) async fn adopt(conn: &mut PgConnection, earlier: &str, present: &str, terms: Terms<'_>) -> sqlx::Result<u64> {
    let mut adopted = 0;
    for statement in [&terms.sql.adopt, &terms.sql.adopt_dead] {
        adopted += query(statement.sql()).bind(earlier).bind(present).execute(&mut *conn).await?.rows_affected();
    }
    Ok(adopted)
}

pub(crate) async fn stuck_keys(pool: &PgPool, limit: u32, terms: Terms<'_>) -> sqlx::Result<Vec<(String, String)>> {
    query_as(terms.sql.stuck_keys.sql()).bind(i64::from(limit)).fetch_all(pool).await
}

pub(crate) async fn orphans(pool: &PgPool, known: &[Arc<str>], terms: Terms<'_>) -> sqlx::Result<Vec<Orphans>> {
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, i64)> = query_as(terms.sql.orphans.sql()).bind(known).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(target, waiting)| Orphans { target, waiting: u64::try_from(waiting).unwrap_or(0) }).collect())
}
