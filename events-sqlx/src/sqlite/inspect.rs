//! For people and for maintenance: lists, counts, redrive, discard, purge.

use crate::dead_letters::DeadLetter;
use crate::deliveries::{Filter, Waiting, WaitingState};
use crate::rows::history;
use crate::sqlite::Terms;
use crate::sqlite::rows::{envelope, from_millis, ids_json, names_json};
use crate::statements::Statement;
use events_core::{DeliveryId, Orphans, millis_of};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::types::Uuid;
use sqlx::{Row, SqlitePool, query, query_as, query_scalar};
use std::{sync::Arc, time::Duration};

pub(crate) async fn count(pool: &SqlitePool, sql: &Statement) -> sqlx::Result<u64> {
    let count: i64 = query_scalar(sql.sql()).fetch_one(pool).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(crate) async fn waiting(pool: &SqlitePool, filter: &Filter, terms: Terms<'_>) -> sqlx::Result<Vec<Waiting>> {
    let rows = filtered(&terms.sql.waiting, filter).bind(terms.now).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                id: DeliveryId(row.try_get::<Uuid, _>(0)?),
                target: row.try_get(2)?,
                envelope: envelope(row, 1, 3),
                state: WaitingState::named(row.try_get(15)?),
                visible_at: row.try_get::<Option<i64>, _>(16)?.map(from_millis),
                failed: row.try_get(11)?,
                abandoned: row.try_get(12)?,
                failures: history(row.try_get(14)?, row.try_get(13)?, row.try_get(11)?),
            })
        })
        .collect()
}

pub(crate) async fn dead(pool: &SqlitePool, filter: &Filter, terms: Terms<'_>) -> sqlx::Result<Vec<DeadLetter>> {
    let rows = filtered(&terms.sql.dead, filter).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(DeadLetter {
                id: DeliveryId(row.try_get::<Uuid, _>(0)?),
                target: row.try_get(2)?,
                envelope: envelope(row, 1, 3),
                reason: row.try_get(12)?,
                attempts: row.try_get(11)?,
                failures: history(row.try_get(14)?, row.try_get(13)?, row.try_get(11)?),
                died_at: from_millis(row.try_get(15)?),
            })
        })
        .collect()
}

/// The filter's parameters, which come first in every list.
fn filtered<'q>(sql: &Statement, filter: &Filter) -> Query<'q, Sqlite, SqliteArguments> {
    query(sql.sql())
        .bind(filter.id.map(|id| id.0))
        .bind(filter.target.clone())
        .bind(filter.topic.clone())
        .bind(filter.key.clone())
        .bind(filter.limit)
}

pub(crate) async fn redrive(conn: &mut SqliteConnection, ids: &[DeliveryId], terms: Terms<'_>) -> sqlx::Result<u64> {
    query(terms.sql.redrive_copy.sql()).bind(ids_json(ids)).bind(terms.now).execute(&mut *conn).await?;
    discard(conn, ids, terms).await
}

pub(crate) async fn discard(conn: &mut SqliteConnection, ids: &[DeliveryId], terms: Terms<'_>) -> sqlx::Result<u64> {
    Ok(query(terms.sql.dead_delete.sql()).bind(ids_json(ids)).execute(conn).await?.rows_affected())
}

pub(crate) async fn adopt(conn: &mut SqliteConnection, earlier: &str, present: &str, terms: Terms<'_>) -> sqlx::Result<u64> {
    let mut adopted = 0;
    for statement in [&terms.sql.adopt, &terms.sql.adopt_dead] {
        adopted += query(statement.sql()).bind(earlier).bind(present).execute(&mut *conn).await?.rows_affected();
    }
    Ok(adopted)
}

pub(crate) async fn stuck_keys(pool: &SqlitePool, limit: u32, terms: Terms<'_>) -> sqlx::Result<Vec<(String, String)>> {
    query_as(terms.sql.stuck_keys.sql()).bind(limit).fetch_all(pool).await
}

pub(crate) async fn purge(conn: &mut SqliteConnection, archive_for: Option<Duration>, limit: u32, terms: Terms<'_>) -> sqlx::Result<u64> {
    let mut removed = query(terms.sql.purge_keys.sql()).bind(limit).execute(&mut *conn).await?.rows_affected();
    if let Some(keep) = archive_for {
        removed = removed.max(
            query(terms.sql.purge_archive.sql()).bind(millis_of(keep)).bind(terms.now).bind(limit).execute(conn).await?.rows_affected(),
        );
    }
    Ok(removed)
}

pub(crate) async fn orphans(pool: &SqlitePool, known: &[Arc<str>], terms: Terms<'_>) -> sqlx::Result<Vec<Orphans>> {
    let rows: Vec<(String, i64)> =
        query_as(terms.sql.orphans.sql()).bind(names_json(known.iter().map(|name| &**name))).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(target, waiting)| Orphans { target, waiting: u64::try_from(waiting).unwrap_or(0) }).collect())
}
