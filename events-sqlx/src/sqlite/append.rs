//! Writes the deliveries of a unit of work, just before COMMIT.

use crate::keys::{Keys, mark_waiting};
use crate::sqlite::Terms;
use crate::sqlite::rows::micros;
use crate::statements::{Schema, Statement};
use events_core::{Planned, millis_of};
use sqlx::sqlite::SqliteConnection;
use sqlx::{query, query_as};
use std::time::Duration;

/// At most so many deliveries in one INSERT; each number of rows is a statement of its own in the connection's cache.
const MAX_ROWS: usize = 32;

/// The INSERT for 1, 2, .. rows.
#[derive(Debug)]
pub(crate) struct Inserts(Vec<Statement>);

impl Inserts {
    pub(crate) fn of(schema: &Schema) -> Self {
        let (head, row) = (include_str!("../../sql/sqlite/append.sql"), include_str!("../../sql/sqlite/append_row.sql"));
        Self((1..=MAX_ROWS).map(|rows| Statement::new(&format!("{head}{}", vec![row; rows].join(",")), schema)).collect())
    }
}

pub(crate) async fn append(conn: &mut SqliteConnection, planned: &mut [Planned], lease: Duration, terms: Terms<'_>) -> sqlx::Result<()> {
    let mut keys = Keys::of(planned);
    let mut occupied = Vec::new();
    for (key, events) in keys.iter_mut() {
        let targets = serde_json::to_string(events.targets()).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let (last_seq, taken): (i64, String) =
            query_as(terms.sql.append_keys.sql()).bind(key).bind(events.len()).bind(targets).fetch_one(&mut *conn).await?;
        events.numbered(last_seq);
        let taken: Vec<String> = serde_json::from_str(&taken).map_err(|error| sqlx::Error::Decode(error.into()))?;
        occupied.extend(taken.into_iter().map(|target| (key.clone(), target)));
    }
    mark_waiting(planned, occupied);
    for rows in planned.chunks(MAX_ROWS) {
        insert(conn, rows, &keys, lease, terms).await?;
    }
    Ok(())
}

async fn insert(conn: &mut SqliteConnection, rows: &[Planned], keys: &Keys, lease: Duration, terms: Terms<'_>) -> sqlx::Result<()> {
    let mut insert = query(terms.sql.inserts.0[rows.len() - 1].sql());
    for row in rows {
        let (delivery, envelope) = (row.delivery(), &*row.delivery().envelope);
        let headers = serde_json::to_string(&envelope.headers).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let (delay, leased) = (millis_of(row.delay()), row.is_leased());
        // NULL plus anything is NULL: that is how a row waits for its key, or has no delay.
        let visible_in = (!row.waits_for_key()).then(|| if leased { millis_of(lease) } else { delay });
        insert = insert
            .bind(delivery.lease.id.0)
            .bind(envelope.id.0)
            .bind(&*delivery.target)
            .bind(&*envelope.topic)
            .bind(envelope.version)
            .bind(envelope.key.as_deref())
            .bind(keys.seq(row))
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
