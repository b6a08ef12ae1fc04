//! Points in time as the tables hold them: microseconds after the Unix epoch.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Now.
pub(crate) fn now() -> i64 {
    micros(OffsetDateTime::now_utc())
}

/// A point in time, to be stored.
pub(crate) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// A stored point in time, for people.
pub(crate) fn text(micros: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{micros} µs after the Unix epoch"))
}
