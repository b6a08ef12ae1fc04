//! A delivery as it is stored: the values of its row.

use crate::backend::Backend;
use crate::values::{Value, bind};
use events_core::{Planned, millis_of};
use std::borrow::Cow;
use std::time::Duration;

/// Adds the values of one row, in the order of the columns of `append` (of `append_one` on PostgreSQL).
pub(crate) fn bind_delivery<DB: Backend>(
    arguments: &mut DB::Arguments,
    row: &Planned,
    place: Option<i64>,
    lease: Duration,
    now: Option<i64>,
) -> sqlx::Result<()> {
    let (delivery, envelope) = (row.delivery(), row.stored());
    let headers = serde_json::to_string(&envelope.headers).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let (delay, leased) = (millis_of(row.delay()), row.is_leased());
    // NULL plus anything is NULL: that is how a row waits for its key, or has no delay.
    let visible_in = (!row.waits_for_key()).then(|| if leased { millis_of(lease) } else { delay });
    let text = |text| Value::Text(Some(Cow::Borrowed(text)));
    let values = [
        Value::Id(Some(delivery.lease.id.0)),
        Value::Id(Some(envelope.id.0)),
        text(&delivery.target),
        text(&envelope.topic),
        Value::Int(Some(i64::from(envelope.version))),
        Value::Text(envelope.key.as_deref().map(Cow::Borrowed)),
        Value::Int(place),
        Value::Bytes(Cow::Borrowed(&envelope.payload)),
        text(&envelope.content_type),
        text(&envelope.source),
        Value::Text(Some(Cow::Owned(headers))),
        Value::Published(envelope.occurred_at),
        Value::Int(now),
        Value::Int(visible_in),
        Value::Int(now),
        Value::Int((delay > 0).then_some(delay)),
        Value::Id(leased.then_some(delivery.lease.token.0)),
    ];
    values.into_iter().try_for_each(|value| bind::<DB>(arguments, value))
}
