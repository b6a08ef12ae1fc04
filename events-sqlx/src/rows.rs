//! What all databases read alike.

use events_core::{Failure, Headers};
use std::borrow::Cow;
use time::OffsetDateTime;

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
pub(crate) fn history(json: Option<&str>, last_error: Option<String>, attempt: u32) -> Vec<Failure> {
    let failures = failures(json);
    match last_error {
        Some(error) if failures.is_empty() => vec![Failure { attempt, at: OffsetDateTime::UNIX_EPOCH, error }],
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
