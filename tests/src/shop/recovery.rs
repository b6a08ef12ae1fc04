//! How long what a killed process held had to wait.

use super::books::{Books, seconds};
use super::{Blow, Orders};
use std::{collections::HashMap, fmt};

/// How long deliveries waited after a kill, in microseconds.
#[derive(Debug, Default)]
pub struct Recoveries {
    /// Each delivery that the dead process had published or had told of without settling it, heads of their keys only.
    held: Vec<i64>,
    /// Each delivery that stood in line behind another one that waited; it can only follow.
    behind: Vec<i64>,
    /// Each kill's last one.
    last: Vec<i64>,
    /// Deliveries that another kill came between: nobody knows which kill they waited for.
    overtaken: usize,
    /// The longest of all, whoever published it, with its description; not those that another kill came between.
    longest: Option<(i64, String)>,
}

impl Recoveries {
    /// Measures from each kill to the next call for what was committed before and not told, or told by the dead process and told again.
    #[must_use]
    pub fn of(books: &Books, orders: &Orders, blows: &[Blow]) -> Self {
        let mut recoveries = Self::default();
        let by_place: HashMap<(i64, i64), i64> = books.facts.values().filter_map(|fact| Some((fact.place?, fact.n))).collect();
        let kills: Vec<(i64, i64, i64)> = blows.iter().filter_map(killed).collect();
        for (keeper, begun, ended) in &kills {
            let next_kill = kills.iter().map(|kill| kill.1).filter(|begun| begun > ended).min().unwrap_or(i64::MAX);
            let mut last = None;
            for fact in books.facts.values().filter(|fact| fact.at < *begun) {
                for target in Books::targets_of(fact, orders) {
                    let calls = books.calls.get(&(fact.n, target)).map_or(&[][..], Vec::as_slice);
                    let before = calls.iter().filter(|call| call.at <= *ended).max_by_key(|call| call.at);
                    let next = calls.iter().map(|call| call.at).filter(|at| at > ended).min();
                    let (Some(at), true) = (next, before.is_none_or(|call| call.keeper == *keeper)) else { continue };
                    if at > next_kill {
                        recoveries.overtaken += 1;
                        continue;
                    }
                    let waited = at - begun;
                    let before_it = fact.place.and_then(|(k, step)| by_place.get(&(k, step - 1)));
                    if before_it
                        .is_some_and(|n| books.calls.get(&(*n, target)).is_some_and(|calls| calls.iter().any(|call| call.at > *ended)))
                    {
                        recoveries.behind.push(waited);
                        continue;
                    }
                    if before.is_some() || fact.keeper == *keeper {
                        recoveries.held.push(waited);
                        last = last.max(Some(waited));
                    }
                    if recoveries.longest.as_ref().is_none_or(|(longest, _)| waited > *longest) {
                        let (this, calls) = (books.describe(fact.n), books.tell(calls));
                        let text = format!("{this} for {target:?} waited {} after process {keeper} was killed: {calls}", seconds(waited));
                        recoveries.longest = Some((waited, text));
                    }
                }
            }
            recoveries.last.extend(last);
        }
        recoveries.held.sort_unstable();
        recoveries.behind.sort_unstable();
        recoveries.last.sort_unstable();
        recoveries
    }

    /// Whether nothing waited longer than `limit`; if not, what did.
    ///
    /// # Errors
    /// The one that waited longest.
    pub fn within(&self, limit: std::time::Duration) -> Result<(), String> {
        match &self.longest {
            Some((longest, text)) if u128::try_from(*longest).is_ok_and(|longest| longest > limit.as_micros()) => {
                Err(format!("longer than {limit:?}: {text}"))
            }
            _ => Ok(()),
        }
    }
}

fn killed(blow: &Blow) -> Option<(i64, i64, i64)> {
    match blow {
        Blow::Killed { keeper, begun, ended } => Some((*keeper, *begun, *ended)),
        Blow::Restarted { .. } => None,
    }
}

impl fmt::Display for Recoveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, behind, last, overtaken, .. } = self;
        write!(f, "recovered={} {}; last of each kill: {}; ", held.len(), percentiles(held), percentiles(last))?;
        write!(f, "in line behind them={} {}; overtaken by another kill={overtaken}", behind.len(), percentiles(behind))
    }
}

fn percentiles(sorted: &[i64]) -> String {
    match (sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(median), Some(max)) => format!("p50={} max={}", seconds(*median), seconds(*max)),
        _ => "none".into(),
    }
}
