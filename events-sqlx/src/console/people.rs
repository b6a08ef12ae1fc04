//! Who is there and who did what: processes, leaders, blocked keys, the audit.

use crate::backend::{Backend, TermsOf, fetch};
use crate::rows::text;
use crate::values::Values;
use events_core::{DeliveryId, ProcessReport};
use serde::Serialize;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// At most so many processes are listed.
const PROCESSES: i64 = 200;
/// At most so many dead letters of one key are dealt with at once.
const BLOCKING: i64 = 10_000;

/// A process of the outbox, as it described itself when it was last seen.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Process {
    /// Names this run of it.
    pub id: Uuid,
    /// Host and process id.
    pub owner: String,
    /// Since when it runs, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// How long ago it was seen.
    #[serde(serialize_with = "secs")]
    pub seen_ago: Duration,
    /// What it said.
    pub report: ProcessReport,
}

/// Who leads something, so that not every process does it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Lead {
    /// What: `maintenance`, or `scanner` if scanners are exclusive.
    pub name: String,
    /// Host and process id.
    pub owner: String,
    /// For how long still, unless it is renewed; `None` if it has run out.
    #[serde(serialize_with = "super::overview::seconds")]
    pub expires_in: Option<Duration>,
}

/// A key that dead letters block on its way to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Blocked {
    /// The key.
    pub key: String,
    /// The target.
    pub target: String,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// How many dead letters block it.
    pub letters: u64,
    /// How many deliveries wait behind them.
    pub waiting: u64,
}

/// What somebody did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its id; a UUIDv7, so entries sort by time.
    pub id: Uuid,
    /// When, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who, as they were known.
    pub actor: String,
    /// What: `redrive`, `discard` or `pass`.
    pub action: String,
    /// To what: JSON.
    pub detail: String,
}

impl Process {
    /// Whether it takes deliveries of this target.
    #[must_use]
    pub fn takes(&self, target: &str) -> bool {
        !self.report.publish_only && self.report.targets.iter().any(|known| known == target)
    }
}

fn secs<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    duration.as_secs_f64().serialize(serializer)
}

fn whole(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

pub(crate) async fn processes<DB: Backend>(conn: &mut DB::Connection, terms: TermsOf<'_, DB>) -> sqlx::Result<Vec<Process>> {
    let rows = fetch::<DB>(conn, &terms.sql.processes, &Values::default().int("limit", PROCESSES), terms.now).await?;
    let read = |row: &DB::Row| {
        Ok(Process {
            id: DB::id(row, 0)?,
            owner: text::<DB>(row, 1)?,
            started_at: DB::time(row, 2)?.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            seen_ago: Duration::from_micros(whole(DB::int(row, 3)?)),
            // Another release may say other things.
            report: serde_json::from_str(&text::<DB>(row, 4)?).unwrap_or_default(),
        })
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn leads<DB: Backend>(conn: &mut DB::Connection, terms: TermsOf<'_, DB>) -> sqlx::Result<Vec<Lead>> {
    let rows = fetch::<DB>(conn, &terms.sql.leads, &Values::default(), terms.now).await?;
    let read = |row: &DB::Row| {
        let left = DB::int(row, 2)?.and_then(|left| u64::try_from(left).ok()).map(Duration::from_micros);
        Ok(Lead { name: text::<DB>(row, 0)?, owner: text::<DB>(row, 1)?, expires_in: left })
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn blocked<DB: Backend>(conn: &mut DB::Connection, limit: u32, terms: TermsOf<'_, DB>) -> sqlx::Result<Vec<Blocked>> {
    let values = Values::default().int("limit", i64::from(limit)).text("key", None).text("target", None);
    let rows = fetch::<DB>(conn, &terms.sql.blocked, &values, terms.now).await?;
    let read = |row: &DB::Row| {
        Ok(Blocked {
            key: text::<DB>(row, 0)?,
            target: text::<DB>(row, 1)?,
            since: DB::time(row, 2)?.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            letters: whole(DB::int(row, 3)?),
            waiting: whole(DB::int(row, 4)?),
        })
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn blocking<DB: Backend>(
    conn: &mut DB::Connection,
    key: &str,
    target: Option<&str>,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<DeliveryId>> {
    let values = Values::default().text("key", key).text("target", target).int("limit", BLOCKING);
    let rows = fetch::<DB>(conn, &terms.sql.blocking, &values, terms.now).await?;
    rows.iter().map(|row| Ok(DeliveryId(DB::id(row, 0)?))).collect()
}

pub(crate) async fn audit<DB: Backend>(
    conn: &mut DB::Connection,
    before: Option<Uuid>,
    limit: u32,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Vec<AuditEntry>> {
    let values = Values::default().id("before", before.unwrap_or(Uuid::max())).int("limit", i64::from(limit));
    let rows = fetch::<DB>(conn, &terms.sql.audit, &values, terms.now).await?;
    let read = |row: &DB::Row| {
        Ok(AuditEntry {
            id: DB::id(row, 0)?,
            at: DB::time(row, 1)?.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            actor: text::<DB>(row, 2)?,
            action: text::<DB>(row, 3)?,
            detail: text::<DB>(row, 4)?,
        })
    };
    rows.iter().map(read).collect()
}
