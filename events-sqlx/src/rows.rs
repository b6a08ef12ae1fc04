//! Rows to envelopes and histories.

use crate::backend::{Backend, TermsOf};
#[cfg(any(feature = "mysql", feature = "postgres"))]
use events_core::{Delivery, DeliveryId, Lease, LeaseRequest, Leased, Unreadable};
use events_core::{Envelope, EventId, Failure, Headers};
use std::borrow::Cow;
use std::sync::Arc;
use time::OffsetDateTime;

/// The envelope of a row: its event id in column 1, and from column 3 topic, version, key, payload, content_type, source, headers,
/// occurred_at. All lists begin alike.
///
/// The error says which column cannot be read; the row itself can be settled nevertheless. A payload whose key is not here stays sealed.
pub(crate) fn envelope<DB: Backend>(row: &DB::Row, terms: TermsOf<'_, DB>) -> Result<Envelope, String> {
    let unreadable = |error: sqlx::Error| error.to_string();
    let missing = |name: &str| format!("the column `{name}` is NULL");
    let text = |column, name| DB::text(row, column).map_err(unreadable)?.ok_or_else(|| missing(name));
    let version = DB::int(row, 4).map_err(unreadable)?.ok_or_else(|| missing("version"))?;
    let stored = Envelope {
        id: EventId(DB::id(row, 1).map_err(unreadable)?),
        topic: Cow::Owned(text(3, "topic")?.to_owned()),
        version: u16::try_from(version).map_err(|_| format!("the column `version` is {version}, which is no version"))?,
        key: DB::text(row, 5).map_err(unreadable)?.map(str::to_owned),
        payload: DB::bytes(row, 6).map_err(unreadable)?.into(),
        content_type: interned(text(7, "content_type")?),
        source: Arc::from(text(8, "source")?),
        headers: headers(text(9, "headers")?)?,
        occurred_at: DB::published(row, 10).map_err(unreadable)?,
    };
    terms.cipher.open(stored)
}

/// A count that is never negative.
pub(crate) fn count<DB: Backend>(row: &DB::Row, column: usize) -> sqlx::Result<u32> {
    Ok(DB::int(row, column)?.and_then(|count| u32::try_from(count).ok()).unwrap_or(0))
}

/// A text that is never NULL.
pub(crate) fn text<DB: Backend>(row: &DB::Row, column: usize) -> sqlx::Result<String> {
    Ok(DB::text(row, column)?.unwrap_or_default().to_owned())
}

pub(crate) fn interned(content_type: &str) -> Cow<'static, str> {
    if content_type == "application/json" { Cow::Borrowed("application/json") } else { Cow::Owned(content_type.to_owned()) }
}

pub(crate) fn headers(json: &str) -> Result<Headers, String> {
    if json == "{}" {
        return Ok(Headers::new());
    }
    serde_json::from_str(json).map_err(|error| format!("the column `headers` is no JSON object of texts: {error}"))
}

/// A history that cannot be read is no reason to lose the delivery.
pub(crate) fn failures(json: Option<&str>) -> Vec<Failure> {
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// The history of a delivery; where it cannot be read, the last error still can.
pub(crate) fn history(json: Option<&str>, last_error: Option<&str>, attempt: u32) -> Vec<Failure> {
    let failures = failures(json);
    match last_error {
        Some(error) if failures.is_empty() => vec![Failure { attempt, at: OffsetDateTime::UNIX_EPOCH, error: error.to_owned() }],
        _ => failures,
    }
}

/// A history as it is stored.
pub(crate) fn json(failures: &[Failure]) -> sqlx::Result<String> {
    serde_json::to_string(failures).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(crate) fn last_error(failures: &[Failure]) -> Option<&str> {
    failures.last().map(|failure| &*failure.error)
}

/// Leased rows to deliveries. Their columns are those of an envelope, then attempt, abandoned and failures.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn leased<DB: Backend>(rows: &[DB::Row], request: &LeaseRequest, terms: TermsOf<'_, DB>) -> sqlx::Result<Leased> {
    let mut leased = Leased::default();
    for row in rows {
        let lease = Lease { id: DeliveryId(DB::id(row, 0)?), token: request.token };
        let name = DB::text(row, 2)?.unwrap_or_default();
        let Some(target) = request.targets.iter().find(|target| &*target.name == name) else { continue };
        match envelope::<DB>(row, terms) {
            Ok(envelope) => leased.deliveries.push(Delivery {
                lease,
                target: Arc::clone(&target.name),
                envelope: Arc::new(envelope),
                failed: count::<DB>(row, 11)?,
                abandoned: count::<DB>(row, 12)?,
                failures: failures(DB::text(row, 13).unwrap_or_default()),
            }),
            Err(error) => {
                let key = DB::text(row, 5).unwrap_or_default().map(str::to_owned);
                leased.unreadable.push(Unreadable { lease, target: Arc::clone(&target.name), key, error });
            }
        }
    }
    // RETURNING promises no order; ids are in the order of publishing.
    leased.deliveries.sort_unstable_by_key(|delivery| delivery.lease.id);
    Ok(leased)
}
