//! One unit of work of the shop.

use super::{Habits, Moved, Site, Sold, now};
use events_core::{Error, publish};
use events_sqlx::{Backend, Outbox, UnitOfWork};
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use sqlx::Database;
use std::collections::BTreeMap;

/// A sale, and what its unit of work said in the end.
#[derive(Clone, Debug)]
pub struct Sale {
    /// The row in the table `sale`.
    pub id: i64,
    /// How it ended.
    pub verdict: Verdict,
}

/// What a unit of work said in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `Ok`: it is committed.
    Committed,
    /// It was rolled back by choice.
    RolledBack,
    /// An error that says that nothing was committed.
    Failed(String),
    /// `Error::CommitUnknown`.
    Unknown(String),
}

/// The error of a unit of work that was rolled back by choice.
#[derive(Debug, thiserror::Error)]
#[error("the customer changed his mind")]
struct ChangedMind;

impl Sale {
    /// Sells something: a row, facts, and their events.
    pub async fn run<S: Site>(outbox: &Outbox<S::Db>, dice: &mut StdRng, habits: &Habits, keys: i64, keeper: i64) -> Self {
        let (least, most) = habits.events;
        // The numbers of the facts follow that of the sale, each with room for the one that a clerk adds.
        let id = dice.random_range(1..i64::MAX >> 8) << 8;
        let mut wanted: Vec<(i64, Option<i64>, bool)> = (1..=dice.random_range(least..=most) as i64)
            .map(|place| {
                let key = dice.random_bool(habits.keyed).then(|| dice.random_range(0..keys));
                (id + 2 * place, key, key.is_some() && dice.random_bool(habits.echoes))
            })
            .collect();
        wanted.shuffle(dice);
        let rolls_back = dice.random_bool(habits.rolled_back);
        let run = outbox.run(async |uow: &mut UnitOfWork<S::Db>| -> anyhow::Result<()> {
            write::<S>(uow.conn(), id, keeper, &wanted).await?;
            for (n, key, echoes) in wanted {
                let _id = match key {
                    None => publish(Sold { n })?,
                    Some(k) => publish(Moved { n, k, echoes })?,
                };
            }
            if rolls_back { Err(ChangedMind.into()) } else { Ok(()) }
        });
        let verdict = match run.await {
            Ok(()) => Verdict::Committed,
            Err(error) if error.is::<ChangedMind>() => Verdict::RolledBack,
            Err(error) => match error.downcast::<Error>() {
                Ok(error @ Error::CommitUnknown { .. }) => Verdict::Unknown(error.report()),
                Ok(error) => Verdict::Failed(error.report()),
                Err(error) => Verdict::Failed(format!("{error:#}")),
            },
        };
        Self { id, verdict }
    }

    /// As a line for another process.
    #[must_use]
    pub fn to_line(&self) -> String {
        let (word, why) = match &self.verdict {
            Verdict::Committed => ("committed", ""),
            Verdict::RolledBack => ("rolled_back", ""),
            Verdict::Failed(why) => ("failed", why.as_str()),
            Verdict::Unknown(why) => ("unknown", why.as_str()),
        };
        format!("sale {} {word} {}", self.id, why.replace('\n', " "))
    }

    /// What [`to_line`](Self::to_line) wrote.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("sale ")?.splitn(3, ' ');
        let (id, word, why) = (words.next()?.parse().ok()?, words.next()?, words.next()?.to_owned());
        let verdict = match word {
            "committed" => Verdict::Committed,
            "rolled_back" => Verdict::RolledBack,
            "failed" => Verdict::Failed(why),
            "unknown" => Verdict::Unknown(why),
            _ => return None,
        };
        Some(Self { id, verdict })
    }
}

type Conn<S> = <<S as Site>::Db as Database>::Connection;

async fn write<S: Site>(conn: &mut Conn<S>, id: i64, keeper: i64, wanted: &[(i64, Option<i64>, bool)]) -> sqlx::Result<()> {
    let mut counts = BTreeMap::<i64, i64>::new();
    for k in wanted.iter().filter_map(|(_, key, _)| *key) {
        *counts.entry(k).or_default() += 1;
    }
    // The business rows are locked in one order, so that a deadlock can only be one of the outbox.
    let counts: Vec<(i64, i64)> = counts.into_iter().collect();
    let last = advance::<S>(conn, &counts).await?;
    let mut next: BTreeMap<i64, i64> = counts.iter().zip(last).map(|((k, count), last)| (*k, last - count + 1)).collect();
    let at = now();
    let mut sql = format!("INSERT INTO sale (id) VALUES ({id}); INSERT INTO fact (n, k, step, keeper, at_us) VALUES ");
    for (place, (n, key, _)) in wanted.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        sql += &match key {
            None => format!("{comma}({n}, NULL, NULL, {keeper}, {at})"),
            Some(k) => {
                let step = next.entry(*k).or_default();
                *step += 1;
                format!("{comma}({n}, {k}, {}, {keeper}, {at})", *step - 1)
            }
        };
    }
    S::Db::execute(conn, sql).await
}

/// Adds to counters, given in ascending order of their keys; returns what each has then. Their rows stay locked until COMMIT.
pub(super) async fn advance<S: Site>(conn: &mut Conn<S>, counts: &[(i64, i64)]) -> sqlx::Result<Vec<i64>> {
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let updates: Vec<String> = counts.iter().map(|(k, count)| format!("UPDATE counter SET step = step + {count} WHERE k = {k}")).collect();
    S::Db::execute(conn, updates.join("; ")).await?;
    let keys: Vec<String> = counts.iter().map(|(k, _)| k.to_string()).collect();
    let rows = S::rows(conn, format!("SELECT step FROM counter WHERE k IN ({}) ORDER BY k", keys.join(", "))).await?;
    Ok(rows.into_iter().filter_map(|row| row[0]).collect())
}
