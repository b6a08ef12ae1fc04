//! Leased rows to deliveries.
//!
//! sqlx copies every column of every row from thread to thread, which costs more than all the rest of a lease. So a row comes in few
//! columns, and what most rows of a target have in common comes as one text, which is read again only when it differs.

use crate::cipher::Cipher;
use crate::rows::{failures, headers, interned};
use crate::sqlite::from_micros;
use events_core::{Delivery, DeliveryId, Envelope, EventId, Failure, Headers, Lease, LeaseToken, Unreadable};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, types::Uuid};
use std::{borrow::Cow, sync::Arc};

/// Reads the rows of one lease of one target.
pub(crate) struct Reader<'a> {
    token: LeaseToken,
    target: &'a Arc<str>,
    cipher: &'a Cipher,
    /// The last row's common text, and what it says.
    text: String,
    common: Option<Common>,
}

/// What most rows of a target have in common.
struct Common {
    topic: String,
    version: u16,
    content_type: Cow<'static, str>,
    source: Arc<str>,
    headers: Headers,
    failed: u32,
    abandoned: u32,
    failures: Vec<Failure>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(token: LeaseToken, target: &'a Arc<str>, cipher: &'a Cipher) -> Self {
        Self { token, target, cipher, text: String::new(), common: None }
    }

    /// The row as a delivery. Unreadable with its id, it can be settled nevertheless; without an id nothing can be said about it.
    pub(crate) fn delivery(&mut self, row: &SqliteRow) -> Result<Delivery, Option<Unreadable>> {
        let ids: &[u8] = row.try_get(0).map_err(|_| None)?;
        let (id, event_id) = ids.split_at_checked(16).ok_or(None)?;
        let lease = Lease { id: DeliveryId(Uuid::from_slice(id).map_err(|_| None)?), token: self.token };
        self.read(row, lease, event_id).map_err(|error| {
            let key = row.try_get(2).unwrap_or_default();
            Some(Unreadable { lease, target: Arc::clone(self.target), key, error })
        })
    }

    fn read(&mut self, row: &SqliteRow, lease: Lease, event_id: &[u8]) -> Result<Delivery, String> {
        let unreadable = |error: sqlx::Error| error.to_string();
        let common = self.common(row.try_get(4).map_err(unreadable)?)?;
        let envelope = Envelope {
            id: EventId(Uuid::from_slice(event_id).map_err(|error| format!("the column `event_id` is no UUID: {error}"))?),
            topic: Cow::Owned(common.topic.clone()),
            version: common.version,
            key: row.try_get(2).map_err(unreadable)?,
            payload: row.try_get::<Vec<u8>, _>(1).map_err(unreadable)?.into(),
            content_type: common.content_type.clone(),
            source: Arc::clone(&common.source),
            headers: common.headers.clone(),
            occurred_at: from_micros(row.try_get(3).map_err(unreadable)?),
        };
        let (failed, abandoned, failures) = (common.failed, common.abandoned, common.failures.clone());
        let envelope = self.cipher.open(envelope)?;
        Ok(Delivery { lease, target: Arc::clone(self.target), envelope: Arc::new(envelope), failed, abandoned, failures })
    }

    fn common(&mut self, text: &str) -> Result<&Common, String> {
        let read = match self.common.take() {
            Some(common) if self.text == text => common,
            _ => Common::read(text)?,
        };
        text.clone_into(&mut self.text);
        Ok(self.common.insert(read))
    }
}

impl Common {
    fn read(text: &str) -> Result<Self, String> {
        type Columns<'t> = (String, u16, Cow<'t, str>, Cow<'t, str>, Cow<'t, str>, u32, u32, Option<Cow<'t, str>>);
        let (topic, version, content_type, source, headers_json, failed, abandoned, history): Columns<'_> =
            serde_json::from_str(text).map_err(|error| format!("the columns {text} cannot be read: {error}"))?;
        Ok(Self {
            topic,
            version,
            content_type: interned(&content_type),
            source: Arc::from(&*source),
            headers: headers(&headers_json)?,
            failed,
            abandoned,
            failures: failures(history.as_deref()),
        })
    }
}
