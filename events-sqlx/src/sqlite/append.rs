//! Writes the deliveries of a unit of work, just before COMMIT.

use crate::keys::{Keys, mark_waiting};
use crate::sqlite::Terms;
use crate::sqlite::rows::micros;
use crate::statements::{Schema, Statement};
use events_core::{Planned, millis_of};
use sqlx::sqlite::SqliteConnection;
use sqlx::types::Uuid;
use sqlx::{Row, query};
use std::time::Duration;

/// At most so many deliveries in one INSERT; each number of rows is a statement of its own in the connection's cache.
const MAX_ROWS: usize = 32;

/// The INSERT for 1, 2, .. rows.
#[derive(Debug)]
pub(crate) struct Inserts {
    plain: Vec<Statement>,
    /// Where there are keys: numbers their events, decides which rows must wait, and tells. All in one trip to the database's thread,
    /// which costs more than the statements themselves.
    keyed: Vec<Statement>,
}

impl Inserts {
    pub(crate) fn of(schema: &Schema) -> Self {
        let head = include_str!("../../sql/sqlite/append.sql");
        let inserts = |before: &str, row: &str, after: &str| {
            (1..=MAX_ROWS).map(|rows| Statement::new(&format!("{before}{head}{}{after}", vec![row; rows].join(",")), schema)).collect()
        };
        let (keys, keyed_row) = (include_str!("../../sql/sqlite/append_keys.sql"), include_str!("../../sql/sqlite/append_row_keyed.sql"));
        Self {
            plain: inserts("", include_str!("../../sql/sqlite/append_row.sql"), ""),
            keyed: inserts(keys, keyed_row, "RETURNING id, visible_at IS NULL"),
        }
    }
}

pub(crate) async fn append(conn: &mut SqliteConnection, planned: &mut [Planned], lease: Duration, terms: Terms<'_>) -> sqlx::Result<()> {
    let keys = Keys::of(planned);
    if keys.is_empty() {
        for rows in planned.chunks(MAX_ROWS) {
            insert(conn, rows, lease, terms).await?;
        }
        return Ok(());
    }
    // Those that wait for another one of this unit of work; the statement finds those that wait for what is in the table.
    mark_waiting(planned, Vec::new());
    // The first rows take the numbers for all.
    let mut counts = serde_json::to_string(&keys.counts()).map_err(|error| sqlx::Error::Encode(error.into()))?;
    for rows in planned.chunks_mut(MAX_ROWS) {
        let counts = std::mem::replace(&mut counts, String::from("[]"));
        insert_keyed(conn, rows, (&keys, counts), lease, terms).await?;
    }
    Ok(())
}

async fn insert_keyed(
    conn: &mut SqliteConnection,
    rows: &mut [Planned],
    (keys, counts): (&Keys, String),
    lease: Duration,
    terms: Terms<'_>,
) -> sqlx::Result<()> {
    let mut insert = query(terms.sql.inserts.keyed[rows.len() - 1].sql()).bind(counts);
    for row in &*rows {
        let (delivery, envelope) = (row.delivery(), &*row.delivery().envelope);
        let headers = serde_json::to_string(&envelope.headers).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let (key, target) = (envelope.key.as_deref(), &*delivery.target);
        let (delay, leased) = (millis_of(row.delay()), row.is_leased());
        // NULL plus anything is NULL: that is how a row waits for its key, or has no delay.
        let visible_in = (!row.waits_for_key()).then(|| if leased { millis_of(lease) } else { delay });
        insert = insert
            .bind(delivery.lease.id.0)
            .bind(envelope.id.0)
            .bind(target)
            .bind(&*envelope.topic)
            .bind(envelope.version)
            .bind(key)
            .bind(key)
            .bind(keys.behind(row))
            .bind(&*envelope.payload)
            .bind(&*envelope.content_type)
            .bind(&*envelope.source)
            .bind(headers)
            .bind(micros(envelope.occurred_at))
            .bind(key)
            .bind(target)
            .bind(terms.now)
            .bind(visible_in)
            .bind(terms.now)
            .bind((delay > 0).then_some(delay))
            .bind(key)
            .bind(target)
            .bind(leased.then_some(delivery.lease.token.0));
    }
    for row in insert.fetch_all(conn).await? {
        let (id, waits): (Uuid, bool) = (row.try_get(0)?, row.try_get(1)?);
        if waits && let Some(planned) = rows.iter_mut().find(|planned| planned.delivery().lease.id.0 == id) {
            planned.wait_for_key();
        }
    }
    Ok(())
}

async fn insert(conn: &mut SqliteConnection, rows: &[Planned], lease: Duration, terms: Terms<'_>) -> sqlx::Result<()> {
    let mut insert = query(terms.sql.inserts.plain[rows.len() - 1].sql());
    for row in rows {
        let (delivery, envelope) = (row.delivery(), &*row.delivery().envelope);
        let headers = serde_json::to_string(&envelope.headers).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let (delay, leased) = (millis_of(row.delay()), row.is_leased());
        // NULL plus anything is NULL: that is how a row has no delay.
        let visible_in = if leased { millis_of(lease) } else { delay };
        insert = insert
            .bind(delivery.lease.id.0)
            .bind(envelope.id.0)
            .bind(&*delivery.target)
            .bind(&*envelope.topic)
            .bind(envelope.version)
            .bind(None::<&str>)
            .bind(None::<i64>)
            .bind(&*envelope.payload)
            .bind(&*envelope.content_type)
            .bind(&*envelope.source)
            .bind(headers)
            .bind(micros(envelope.occurred_at))
            .bind(terms.now)
            .bind(visible_in)
            .bind(terms.now)
            .bind((delay > 0).then_some(delay))
            .bind(leased.then_some(delivery.lease.token.0));
    }
    insert.execute(conn).await.map(drop)
}
