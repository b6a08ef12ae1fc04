//! Writes the deliveries of a unit of work, just before COMMIT.

use crate::keys::{Keys, mark_waiting};
use crate::postgres::Terms;
use events_core::{Planned, millis_of};
use sqlx::postgres::PgConnection;
use sqlx::types::Uuid;
use sqlx::{query, query_as};
use std::time::Duration;
use time::OffsetDateTime;

pub(crate) async fn append(conn: &mut PgConnection, planned: &mut [Planned], lease: Duration, terms: Terms<'_>) -> sqlx::Result<()> {
    let mut keys = Keys::of(planned);
    if !keys.is_empty() {
        number(conn, &mut keys, terms).await?;
        mark_waiting(planned, occupied(conn, &keys, terms).await?);
    }
    let mut rows = Columns::with_capacity(planned.len());
    for delivery in planned.iter() {
        rows.push(delivery, &keys, lease)?;
    }
    query(terms.sql.append.sql())
        .bind(rows.id)
        .bind(rows.event_id)
        .bind(rows.target)
        .bind(rows.topic)
        .bind(rows.version)
        .bind(rows.key)
        .bind(rows.key_seq)
        .bind(rows.payload)
        .bind(rows.content_type)
        .bind(rows.source)
        .bind(rows.headers)
        .bind(rows.occurred_at)
        .bind(rows.visible_in)
        .bind(rows.delay)
        .bind(rows.lease_token)
        .bind(terms.now)
        .execute(conn)
        .await
        .map(drop)
}

async fn number(conn: &mut PgConnection, keys: &mut Keys, terms: Terms<'_>) -> sqlx::Result<()> {
    let (names, counts): (Vec<String>, Vec<i64>) = keys.iter_mut().map(|(key, events)| (key.clone(), events.len())).unzip();
    let numbered: Vec<(String, i64)> = query_as(terms.sql.append_keys.sql()).bind(names).bind(counts).fetch_all(conn).await?;
    for (key, events) in keys.iter_mut() {
        let last_seq = numbered.iter().find(|(name, _)| name == key).map(|(_, seq)| *seq);
        events.numbered(last_seq.ok_or(sqlx::Error::RowNotFound)?);
    }
    Ok(())
}

async fn occupied(conn: &mut PgConnection, keys: &Keys, terms: Terms<'_>) -> sqlx::Result<Vec<(String, String)>> {
    let (keys, targets): (Vec<String>, Vec<String>) = keys.lines().unzip();
    query_as(terms.sql.occupied.sql()).bind(keys).bind(targets).fetch_all(conn).await
}

/// The rows of one INSERT, column by column.
#[derive(Default)]
struct Columns {
    id: Vec<Uuid>,
    event_id: Vec<Uuid>,
    target: Vec<String>,
    topic: Vec<String>,
    version: Vec<i32>,
    key: Vec<Option<String>>,
    key_seq: Vec<Option<i64>>,
    payload: Vec<Vec<u8>>,
    content_type: Vec<String>,
    source: Vec<String>,
    headers: Vec<String>,
    occurred_at: Vec<OffsetDateTime>,
    visible_in: Vec<Option<i64>>,
    delay: Vec<Option<i64>>,
    lease_token: Vec<Option<Uuid>>,
}

impl Columns {
    fn with_capacity(rows: usize) -> Self {
        // Only the columns that are pushed first; the others grow along.
        Self { id: Vec::with_capacity(rows), payload: Vec::with_capacity(rows), ..Self::default() }
    }

    fn push(&mut self, row: &Planned, keys: &Keys, lease: Duration) -> sqlx::Result<()> {
        let (delivery, envelope) = (row.delivery(), &*row.delivery().envelope);
        let (delay, leased) = (millis_of(row.delay()), row.is_leased());
        self.id.push(delivery.lease.id.0);
        self.event_id.push(envelope.id.0);
        self.target.push(delivery.target.to_string());
        self.topic.push(envelope.topic.to_string());
        self.version.push(i32::from(envelope.version));
        self.key.push(envelope.key.clone());
        self.key_seq.push(keys.seq(row));
        self.payload.push(envelope.payload.to_vec());
        self.content_type.push(envelope.content_type.to_string());
        self.source.push(envelope.source.to_string());
        self.headers.push(serde_json::to_string(&envelope.headers).map_err(|error| sqlx::Error::Encode(error.into()))?);
        self.occurred_at.push(envelope.occurred_at);
        // NULL times anything is NULL: that is how a row waits for its key, or has no delay.
        self.visible_in.push((!row.waits_for_key()).then(|| if leased { millis_of(lease) } else { delay }));
        self.delay.push((delay > 0).then_some(delay));
        self.lease_token.push(leased.then_some(delivery.lease.token.0));
        Ok(())
    }
}
