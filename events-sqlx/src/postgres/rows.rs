//! Rows to envelopes.

use crate::rows::{headers, interned};
use events_core::{DeliveryId, Envelope, EventId, Lease};
use sqlx::postgres::PgRow;
use sqlx::{Row, types::Uuid};
use std::{borrow::Cow, sync::Arc};

/// The envelope of a row: its event id, and from column `first` topic, version, key, payload, content_type, source, headers, occurred_at.
///
/// The error says which column cannot be read; the row itself can be settled nevertheless.
pub(crate) fn envelope(row: &PgRow, event_id: usize, first: usize) -> Result<Envelope, String> {
    let unreadable = |error: sqlx::Error| error.to_string();
    let version: i32 = row.try_get(first + 1).map_err(unreadable)?;
    Ok(Envelope {
        id: EventId(row.try_get::<Uuid, _>(event_id).map_err(unreadable)?),
        topic: Cow::Owned(row.try_get(first).map_err(unreadable)?),
        version: u16::try_from(version).map_err(|_| format!("the column `version` is {version}, which is no version"))?,
        key: row.try_get(first + 2).map_err(unreadable)?,
        payload: row.try_get::<Vec<u8>, _>(first + 3).map_err(unreadable)?.into(),
        content_type: interned(row.try_get(first + 4).map_err(unreadable)?),
        source: Arc::from(row.try_get::<&str, _>(first + 5).map_err(unreadable)?),
        headers: headers(row.try_get(first + 6).map_err(unreadable)?)?,
        occurred_at: row.try_get(first + 7).map_err(unreadable)?,
    })
}

/// Leases as two arrays.
pub(crate) fn arrays<'a>(leases: impl Iterator<Item = &'a Lease>) -> (Vec<Uuid>, Vec<Uuid>) {
    leases.map(|lease| (lease.id.0, lease.token.0)).unzip()
}

/// Ids as an array.
pub(crate) fn ids(ids: &[DeliveryId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.0).collect()
}
