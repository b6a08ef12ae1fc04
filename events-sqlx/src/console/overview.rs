//! How much waits, for whom and for how long.

use crate::backend::{Backend, TermsOf, fetch};
use crate::pages;
use crate::rows::text;
use crate::statements::Schema;
use crate::values::Values;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;

/// How much waits, for whom and for how long.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// To how many each number of a backlog was counted: one that is not below it may be more.
    pub counted_to: u64,
    /// About how many deliveries there are, by the database's statistics, which may be old; `None` if it has none.
    pub about: Option<u64>,
    /// What waits, by target.
    pub backlogs: Vec<Backlog>,
    /// What was given up, by target.
    pub dead: Vec<DeadBacklog>,
    /// How long ago the oldest event was published that is still on its way somewhere, by the publisher's clock.
    #[serde(serialize_with = "seconds")]
    pub oldest: Option<Duration>,
    /// What time it is, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub now: OffsetDateTime,
}

/// What waits for one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Backlog {
    /// A handler's name, or `transport:` and a transport's name.
    pub target: String,
    /// Deliveries that wait for a scanner to lease them.
    pub due: u64,
    /// Deliveries that some process has.
    pub leased: u64,
    /// Deliveries that wait for their delay or their next attempt.
    pub later: u64,
    /// Deliveries that wait for an earlier one of their key.
    pub key: u64,
    /// How long the first of them has been due.
    #[serde(serialize_with = "seconds")]
    pub due_for: Option<Duration>,
}

/// What was given up of one target's deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadBacklog {
    /// The target.
    pub target: String,
    /// How many dead letters.
    pub letters: u64,
    /// When the latest of them died.
    #[serde(with = "time::serde::rfc3339")]
    pub latest: OffsetDateTime,
}

impl Overview {
    /// All that waits for this state or another, as far as it was counted.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.backlogs.iter().map(|backlog| backlog.due + backlog.leased + backlog.later + backlog.key).sum()
    }

    /// How many dead letters there are, as far as they were counted.
    #[must_use]
    pub fn dead_letters(&self) -> u64 {
        self.dead.iter().map(|dead| dead.letters).sum()
    }
}

pub(crate) fn seconds<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

pub(crate) async fn look<DB: Backend>(
    conn: &mut DB::Connection,
    most: u32,
    schema: &Schema,
    terms: TermsOf<'_, DB>,
) -> sqlx::Result<Overview> {
    let (sql, most) = (terms.sql, i64::from(most));
    let number = |row: &DB::Row, column| Ok::<_, sqlx::Error>(DB::int(row, column)?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0));
    let bounded = || Values::default().int("most", most);
    let mut backlogs: BTreeMap<String, Backlog> = BTreeMap::new();
    for row in &fetch::<DB>(conn, &sql.behind, &bounded(), terms.now).await? {
        let (target, behind) = (text::<DB>(row, 0)?, number(row, 1)?);
        backlogs.entry(target.clone()).or_insert_with(|| Backlog { target, ..Backlog::default() }).key = behind;
    }
    let targets = fetch::<DB>(conn, &sql.targets, &Values::default(), terms.now).await?;
    for target in &targets.iter().map(|row| text::<DB>(row, 0)).collect::<sqlx::Result<Vec<_>>>()? {
        let depth = fetch::<DB>(conn, &sql.depth, &bounded().text("target", &**target), terms.now).await?;
        let Some(row) = depth.first() else { continue };
        let backlog = backlogs.entry(target.clone()).or_insert_with(|| Backlog { target: target.clone(), ..Backlog::default() });
        (backlog.due, backlog.leased, backlog.later) = (number(row, 0)?, number(row, 1)?, number(row, 2)?);
        backlog.due_for = DB::int(row, 3)?.map(micros);
    }
    let dead = fetch::<DB>(conn, &sql.dead_by_target, &bounded(), terms.now).await?;
    let dead = dead.iter().map(|row| {
        let latest = DB::time(row, 2)?.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Ok(DeadBacklog { target: text::<DB>(row, 0)?, letters: number(row, 1)?, latest })
    });
    let dead = dead.collect::<sqlx::Result<_>>()?;
    let size = fetch::<DB>(conn, &sql.size, &Values::default().text("schema", schema.name()), terms.now).await?;
    let about = size.first().map(|row| DB::int(row, 0)).transpose()?.flatten().and_then(|about| u64::try_from(about).ok());
    let now = pages::now::<DB>(conn, terms).await?;
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let first = fetch::<DB>(conn, &sql.first, &Values::default(), terms.now).await?;
    let oldest = first.first().map(|row| DB::id(row, 0)).transpose()?;
    // The first 48 bits of a UUIDv7 are milliseconds after the Unix epoch.
    let published = oldest.and_then(|id| OffsetDateTime::from_unix_timestamp_nanos((id.as_u128() >> 80) as i128 * 1_000_000).ok());
    let oldest = published.map(|published| Duration::try_from(now - published).unwrap_or_default());
    Ok(Overview { counted_to: most.unsigned_abs(), about, backlogs: backlogs.into_values().collect(), dead, oldest, now })
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
