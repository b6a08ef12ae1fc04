//! Rows to envelopes and back.

use crate::rows::{headers, interned};
use events_core::{DeliveryId, Envelope, EventId, Lease};
use sqlx::sqlite::SqliteRow;
use sqlx::{
    Row,
    types::{Uuid, uuid::fmt::Simple},
};
use std::{borrow::Cow, sync::Arc};
use time::OffsetDateTime;

/// The envelope of a row: its event id, and from column `first` topic, version, key, payload, content_type, source, headers, occurred_at.
///
/// The error says which column cannot be read; the row itself can be settled nevertheless.
pub(crate) fn envelope(row: &SqliteRow, event_id: usize, first: usize) -> Result<Envelope, String> {
    let unreadable = |error: sqlx::Error| error.to_string();
    Ok(Envelope {
        id: EventId(row.try_get::<Uuid, _>(event_id).map_err(unreadable)?),
        topic: Cow::Owned(row.try_get(first).map_err(unreadable)?),
        version: row.try_get(first + 1).map_err(unreadable)?,
        key: row.try_get(first + 2).map_err(unreadable)?,
        payload: row.try_get::<Vec<u8>, _>(first + 3).map_err(unreadable)?.into(),
        content_type: interned(row.try_get(first + 4).map_err(unreadable)?),
        source: Arc::from(row.try_get::<&str, _>(first + 5).map_err(unreadable)?),
        headers: headers(row.try_get(first + 6).map_err(unreadable)?)?,
        occurred_at: from_micros(row.try_get(first + 7).map_err(unreadable)?),
    })
}

pub(crate) fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

pub(crate) fn from_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

pub(crate) fn from_millis(millis: i64) -> OffsetDateTime {
    from_micros(millis.saturating_mul(1_000))
}

/// Leases as a JSON array of texts, each an id and a token in hexadecimal.
pub(crate) fn leases_json<'a>(leases: impl ExactSizeIterator<Item = &'a Lease>) -> String {
    const TEXT: usize = 2 * Simple::LENGTH + 3;
    let mut json = String::with_capacity(leases.len() * TEXT + 2);
    let mut hex = [0; Simple::LENGTH];
    json.push('[');
    for lease in leases {
        json.push_str(if json.len() > 1 { ",\"" } else { "\"" });
        json.push_str(lease.id.0.simple().encode_lower(&mut hex));
        json.push_str(lease.token.0.simple().encode_lower(&mut hex));
        json.push('"');
    }
    json.push(']');
    json
}

/// Ids as a JSON array, in hexadecimal.
pub(crate) fn ids_json(ids: &[DeliveryId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.0.simple())).collect();
    format!("[{}]", ids.join(","))
}

/// Names as a JSON array.
pub(crate) fn names_json<'a>(names: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(names).to_string()
}
