//! Looks for everything that is known to go wrong with an outbox, and says what to do about it.

use super::{SchemaVersion, overview, people};
use crate::backend::{Backend, TermsOf, fetch};
use crate::pages;
use crate::rows::text;
use crate::statements::Schema;
use crate::values::Values;
use serde::Serialize;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// To how many deliveries are counted.
const MOST: u32 = 100_000;
/// What has been due for longer than this, nobody takes or nobody manages.
const LATE: Duration = Duration::from_secs(60);
const VERY_LATE: Duration = Duration::from_secs(600);
/// How much the database's clock may differ from that of this machine.
const SKEW: Duration = Duration::from_secs(5);
/// At most so many blocked keys are named.
const NAMED: u32 = 5;

/// The indexes without which a statement of the outbox reads whole tables.
const INDEXES: [&str; 7] =
    ["inbox_age", "outbox_archive_age", "outbox_dead_age", "outbox_dead_of_line", "outbox_dead_of_target", "outbox_due", "outbox_of_key"];

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    Ok,
    /// Somebody should look at it.
    Warning,
    /// Events do not arrive, or will soon not arrive.
    Critical,
}

/// What an examination found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was examined.
    pub check: String,
    /// How bad it is.
    pub level: Level,
    /// What was found, and what to do about it.
    pub text: String,
}

impl Finding {
    /// A finding of your own, beside those of the database.
    pub fn new(check: impl Into<String>, level: Level, text: impl Into<String>) -> Self {
        Self { check: check.into(), level, text: text.into() }
    }
}

/// Tables that are missing or of another version make all other questions useless.
pub(crate) fn of_version(version: SchemaVersion) -> Option<Finding> {
    let SchemaVersion { found, known } = version;
    let text = match found {
        0 => "there are no outbox tables; create them with `outbox migrate up`".to_owned(),
        found if found < known => {
            format!("the tables have version {found}, this release needs {known}; upgrade them with `outbox migrate up`")
        }
        found if found > known => format!("the tables have version {found}, this release knows {known}; use a newer `outbox`"),
        _ => return None,
    };
    Some(Finding::new("schema", Level::Critical, text))
}

pub(crate) async fn examine<DB: Backend>(conn: &mut DB::Connection, schema: &Schema, terms: TermsOf<'_, DB>) -> sqlx::Result<Vec<Finding>> {
    let mut findings = vec![Finding::new("schema", Level::Ok, "the tables are those of this release")];
    findings.push(indexes::<DB>(conn, schema, terms).await?);
    findings.push(clock::<DB>(conn, terms).await?);
    for row in &fetch::<DB>(conn, &terms.sql.settings, &Values::default(), terms.now).await? {
        let problem = DB::text(row, 1)?.map(str::to_owned);
        let level = if problem.is_some() { Level::Warning } else { Level::Ok };
        findings.push(Finding::new(text::<DB>(row, 0)?, level, problem.unwrap_or_else(|| "well".to_owned())));
    }
    let processes = people::processes::<DB>(conn, terms).await?;
    let overview = overview::look::<DB>(conn, MOST, schema, terms).await?;
    findings.extend(backlogs(&overview, &processes));
    findings.push(oldest_of_key::<DB>(conn, terms).await?);
    findings.push(stuck::<DB>(conn, terms).await?);
    findings.push(leads(&people::leads::<DB>(conn, terms).await?, &processes));
    findings.push(loops(&processes));
    let blocked = people::blocked::<DB>(conn, NAMED, terms).await?;
    let named: Vec<String> = blocked.iter().map(|line| format!("`{}` on its way to `{}`", line.key, line.target)).collect();
    findings.push(if named.is_empty() {
        Finding::new("blocked keys", Level::Ok, "none")
    } else {
        let text = format!("dead letters hold back {}; `outbox key unblock KEY`, or redrive them", named.join(", "));
        Finding::new("blocked keys", Level::Critical, text)
    });
    Ok(findings)
}

async fn indexes<DB: Backend>(conn: &mut DB::Connection, schema: &Schema, terms: TermsOf<'_, DB>) -> sqlx::Result<Finding> {
    let rows = fetch::<DB>(conn, &terms.sql.indexes, &Values::default().text("schema", schema.name()), terms.now).await?;
    let there = rows.iter().map(|row| text::<DB>(row, 0)).collect::<sqlx::Result<Vec<_>>>()?;
    let missing: Vec<&str> = INDEXES.into_iter().filter(|index| !there.iter().any(|there| there == index)).collect();
    Ok(if missing.is_empty() {
        Finding::new("indexes", Level::Ok, "all there")
    } else {
        let cure = "make them as `outbox migrate print` shows";
        Finding::new("indexes", Level::Critical, format!("missing: {}; {cure}", missing.join(", ")))
    })
}

async fn clock<DB: Backend>(conn: &mut DB::Connection, terms: TermsOf<'_, DB>) -> sqlx::Result<Finding> {
    let begun = Instant::now();
    let before = OffsetDateTime::now_utc();
    let database = pages::now::<DB>(conn, terms).await?;
    // The answer was given some time within the trip.
    let middle = before + begun.elapsed() / 2;
    let database = OffsetDateTime::from_unix_timestamp_nanos(i128::from(database) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let skew = (database - middle).whole_milliseconds();
    let level = if skew.unsigned_abs() > SKEW.as_millis() { Level::Warning } else { Level::Ok };
    let text = match level {
        Level::Ok => format!("the database's clock differs by {skew} ms from this machine's"),
        _ => format!(
            "the database's clock differs by {skew} ms from this machine's; deliveries do not care, but `occurred_at` and latencies do: look at NTP"
        ),
    };
    Ok(Finding::new("clock", level, text))
}

fn backlogs(overview: &overview::Overview, processes: &[people::Process]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let has = |target: &str| processes.iter().any(|process| process.takes(target));
    let orphans: Vec<&str> =
        overview.backlogs.iter().filter(|backlog| backlog.due > 0 && !has(&backlog.target)).map(|backlog| &*backlog.target).collect();
    findings.push(if orphans.is_empty() {
        Finding::new("orphans", Level::Ok, "every target with something due has a process")
    } else {
        let text = format!("no process was seen that takes {}; start one, or give a handler `renamed_from`", orphans.join(", "));
        Finding::new("orphans", Level::Critical, text)
    });
    let late = overview.backlogs.iter().filter_map(|backlog| Some((backlog, backlog.due_for.filter(|late| *late > LATE)?)));
    let late: Vec<_> = late.collect();
    let worst = late.iter().map(|(_, late)| *late).max().unwrap_or_default();
    let named: Vec<String> =
        late.iter().map(|(backlog, late)| format!("`{}` by {} s ({} due)", backlog.target, late.as_secs(), backlog.due)).collect();
    findings.push(match worst {
        worst if worst > VERY_LATE => Finding::new("lateness", Level::Critical, format!("behind: {}", named.join(", "))),
        worst if worst > LATE => Finding::new("lateness", Level::Warning, format!("behind: {}", named.join(", "))),
        _ => Finding::new("lateness", Level::Ok, "nothing has been due for more than a minute"),
    });
    let dead = overview.dead_letters();
    findings.push(if dead == 0 {
        Finding::new("dead letters", Level::Ok, "none")
    } else {
        let named: Vec<String> = overview.dead.iter().map(|dead| format!("{} of `{}`", dead.letters, dead.target)).collect();
        Finding::new("dead letters", Level::Warning, format!("{}; `outbox dead list` shows why", named.join(", ")))
    });
    findings
}

/// The key that has waited longest: what fails at its head holds back everything behind it.
async fn oldest_of_key<DB: Backend>(conn: &mut DB::Connection, terms: TermsOf<'_, DB>) -> sqlx::Result<Finding> {
    let rows = fetch::<DB>(conn, &terms.sql.oldest_of_key, &Values::default().int("most", i64::from(MOST)), terms.now).await?;
    let Some(row) = rows.first() else { return Ok(Finding::new("oldest key", Level::Ok, "nothing with a key waits")) };
    let published = DB::id(row, 3)?.as_u128() >> 80;
    let now = u128::try_from(pages::now::<DB>(conn, terms).await? / 1_000).unwrap_or(0);
    let age = Duration::from_millis(u64::try_from(now.saturating_sub(published)).unwrap_or(0));
    let failed = DB::int(row, 2)?.unwrap_or(0);
    let text = format!(
        "`{}` on its way to `{}`, published {} s ago, {failed} failed attempts",
        text::<DB>(row, 0)?,
        text::<DB>(row, 1)?,
        age.as_secs()
    );
    Ok(if age > VERY_LATE && failed > 0 {
        Finding::new("oldest key", Level::Warning, format!("{text}; what is behind it waits: `outbox list --key KEY` shows why"))
    } else {
        Finding::new("oldest key", Level::Ok, text)
    })
}

async fn stuck<DB: Backend>(conn: &mut DB::Connection, terms: TermsOf<'_, DB>) -> sqlx::Result<Finding> {
    let rows = fetch::<DB>(conn, &terms.sql.stuck, &Values::default().int("most", i64::from(MOST)), terms.now).await?;
    let named: Vec<String> = rows
        .iter()
        .map(|row| {
            let (many, most) = (DB::int(row, 1)?.unwrap_or(0), DB::int(row, 2)?.unwrap_or(0));
            Ok(format!("{many} of `{}` (up to {most} times)", text::<DB>(row, 0)?))
        })
        .collect::<sqlx::Result<_>>()?;
    Ok(if named.is_empty() {
        Finding::new("lost leases", Level::Ok, "no lease ran out on what waits")
    } else {
        let cause = "the processes that had them died or hang; after ten times a delivery is a dead letter";
        Finding::new("lost leases", Level::Warning, format!("{}: {cause}", named.join(", ")))
    })
}

fn leads(leads: &[people::Lead], processes: &[people::Process]) -> Finding {
    let delivering = processes.iter().any(|process| !process.report.publish_only);
    let maintained = leads.iter().find(|lead| lead.name == "maintenance" && lead.expires_in.is_some());
    match maintained {
        Some(lead) => Finding::new("leader", Level::Ok, format!("{} maintains", lead.owner)),
        None if delivering => Finding::new("leader", Level::Warning, "nobody maintains, though processes are there; look at their logs"),
        None => Finding::new("leader", Level::Critical, "no process that delivers was seen within the last hour; start one"),
    }
}

fn loops(processes: &[people::Process]) -> Finding {
    let trouble = processes.iter().flat_map(|process| {
        let silent = process.seen_ago > LATE;
        let gone = silent.then(|| format!("{} was last seen {} s ago", process.owner, process.seen_ago.as_secs()));
        let late = process.report.loops.iter().filter(|one| one.success_ago.is_some_and(|ago| ago > 10 * 60_000) && one.name != "settler");
        let late = late
            .map(|one| format!("the {} of {} has not succeeded for {} s", one.name, process.owner, one.success_ago.unwrap_or(0) / 1_000));
        let restarts = process.report.loops.iter().filter(|one| one.restarts > 0);
        let restarts = restarts.map(|one| format!("the {} of {} panicked {} times", one.name, process.owner, one.restarts));
        gone.into_iter().chain(late).chain(restarts).collect::<Vec<_>>()
    });
    let trouble: Vec<String> = trouble.collect();
    if trouble.is_empty() {
        Finding::new("processes", Level::Ok, format!("{} seen, all alive", processes.len()))
    } else {
        Finding::new("processes", Level::Warning, trouble.join("; "))
    }
}
