//! What the tables of the shop say afterwards: whether everything that was committed was told, in order, and nothing else.

use super::{Blow, Duplicates, Orders, Sale, Site, Target, Verdict};
use sqlx::Pool;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::time::Duration;

/// How many faults a message lists.
const LISTED: usize = 25;

/// Everything that was written down.
pub struct Books {
    pub(super) facts: BTreeMap<i64, Fact>,
    /// Calls by fact and target, in the order in which they were written down.
    pub(super) calls: HashMap<(i64, Target), Vec<Call>>,
    /// Targets with their calls, in that order.
    told: BTreeMap<Target, Vec<Call>>,
    counters: BTreeMap<i64, i64>,
    sales: HashSet<i64>,
    waiting: i64,
    dead: i64,
}

/// A fact that was committed.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) n: i64,
    /// Its key, and its place in the order of commits of that key.
    pub(super) place: Option<(i64, i64)>,
    pub(super) keeper: i64,
    pub(super) at: i64,
}

/// A call of a handler, or its effect.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) n: i64,
    pub(super) keeper: i64,
    pub(super) attempt: Option<i64>,
    pub(super) at: i64,
}

impl Books {
    /// Opens the books.
    ///
    /// # Panics
    /// They cannot be read.
    pub async fn read<S: Site>(witness: &Pool<S::Db>) -> Self {
        let mut conn = witness.acquire().await.unwrap();
        let mut rows = async |sql: &str| S::rows(&mut conn, sql.into()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let facts = rows("SELECT n, k, step, keeper, at_us FROM fact").await;
        let facts = facts.iter().map(|row| Fact { n: n(row[0]), place: row[1].zip(row[2]), keeper: n(row[3]), at: n(row[4]) });
        let mut books = Self {
            facts: facts.map(|fact| (fact.n, fact)).collect(),
            calls: HashMap::new(),
            told: BTreeMap::new(),
            counters: rows("SELECT k, step FROM counter").await.iter().map(|row| (n(row[0]), n(row[1]))).collect(),
            sales: rows("SELECT id FROM sale").await.iter().map(|row| n(row[0])).collect(),
            waiting: n(rows("SELECT count(*) FROM outbox").await[0][0]),
            dead: n(rows("SELECT count(*) FROM outbox_dead").await[0][0]),
        };
        let told = rows("SELECT n, keeper, at_us, target, attempt FROM told ORDER BY place").await;
        let effects = rows("SELECT n, keeper, at_us FROM effect ORDER BY place").await;
        for row in told.into_iter().chain(effects) {
            // An effect has no target of its own, and nobody wrote down in which attempt it came.
            let target = row.get(3).map_or(Target::Enter as i64, |target| n(*target));
            let target = [Target::Ring, Target::Track, Target::Enter].into_iter().find(|known| *known as i64 == target).unwrap();
            let call = Call { n: n(row[0]), keeper: n(row[1]), at: n(row[2]), attempt: row.get(4).map(|attempt| n(*attempt)) };
            books.calls.entry((call.n, target)).or_default().push(call.clone());
            books.told.entry(target).or_default().push(call);
        }
        books
    }

    /// How many facts were committed.
    #[must_use]
    pub fn facts(&self) -> usize {
        self.facts.len()
    }

    /// Whether the sale was committed.
    #[must_use]
    pub fn has_sale(&self, sale: &Sale) -> bool {
        self.sales.contains(&sale.id)
    }

    /// How many calls were written down.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.values().map(Vec::len).sum()
    }

    /// How many calls each process made.
    #[must_use]
    pub fn calls_by_keeper(&self) -> BTreeMap<i64, usize> {
        let mut counts = BTreeMap::new();
        self.calls.values().flatten().for_each(|call| *counts.entry(call.keeper).or_default() += 1);
        counts
    }

    /// Facts without a key of sales with an unknown outcome that were told before the lease they were inserted with could run out.
    #[must_use]
    pub fn told_before_their_lease_ran_out(&self, sales: &[Sale], lease: Duration) -> Vec<String> {
        let unknown: HashSet<i64> = sales.iter().filter(|sale| matches!(sale.verdict, Verdict::Unknown(_))).map(|sale| sale.id).collect();
        let lease = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
        let of_unknown = self.facts.values().filter(|fact| fact.place.is_none() && unknown.contains(&(fact.n >> 8 << 8)));
        of_unknown
            .filter_map(|fact| Some((fact, self.calls.get(&(fact.n, Target::Ring))?)))
            .filter(|(fact, calls)| calls.iter().any(|call| call.at < fact.at + lease))
            .map(|(fact, calls)| format!("{}: {}", self.describe(fact.n), self.tell(calls)))
            .collect()
    }

    /// Checks everything that must hold whatever happened: `blows` is what did, `sales` what the units of work said, and
    /// `lease_lost` how many leases the processes that lived noticed they had lost.
    ///
    /// # Panics
    /// Something does not hold; the message lists what, and what happened when.
    #[must_use]
    pub fn verify(&self, orders: &Orders, sales: &[Sale], blows: &[Blow], lease_lost: u64) -> Duplicates {
        let duplicates = Duplicates::of(self, blows, lease_lost);
        let mut faults = self.undelivered(orders);
        faults.extend(self.invented());
        faults.extend(self.out_of_order());
        faults.extend(self.miscounted());
        faults.extend(self.false_verdicts(sales));
        faults.extend(duplicates.faults(self));
        if self.waiting + self.dead > 0 {
            faults.push(format!("{} deliveries still wait, {} are dead letters", self.waiting, self.dead));
        }
        if faults.is_empty() {
            return duplicates;
        }
        let mut message = format!("{} faults in {} facts and {} calls:\n", faults.len(), self.facts(), self.calls());
        for fault in faults.iter().take(LISTED) {
            let _ = writeln!(message, "- {fault}");
        }
        for blow in blows {
            let _ = writeln!(message, "  {}", blow.tell(self.begun()));
        }
        panic!("{message}");
    }

    /// The targets that must be told of a fact.
    pub(super) fn targets_of(fact: &Fact, orders: &Orders) -> Vec<Target> {
        match fact.place {
            None => vec![Target::Ring],
            Some(_) => [(orders.tracks, Target::Track), (orders.enters, Target::Enter)]
                .into_iter()
                .filter_map(|(is, target)| is.then_some(target))
                .collect(),
        }
    }

    /// What was committed and never told.
    fn undelivered(&self, orders: &Orders) -> Vec<String> {
        let all = self.facts.values().flat_map(|fact| Self::targets_of(fact, orders).into_iter().map(move |target| (fact, target)));
        all.filter(|(fact, target)| !self.calls.contains_key(&(fact.n, *target)))
            .map(|(fact, target)| format!("lost: {} was committed and never reached {target:?}", self.describe(fact.n)))
            .collect()
    }

    /// What was told and never committed.
    fn invented(&self) -> Vec<String> {
        let invented = self.calls.iter().filter(|((n, _), _)| !self.facts.contains_key(n));
        invented
            .map(|((n, target), calls)| format!("invented: {target:?} was told of {n}, which is not committed: {}", self.tell(calls)))
            .collect()
    }

    /// Events of one key that first reached a target in another order than that of their commits.
    fn out_of_order(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (target, calls) in &self.told {
            let mut last: HashMap<i64, (i64, i64)> = HashMap::new();
            let mut seen = HashSet::new();
            for call in calls.iter().filter(|call| seen.insert(call.n)) {
                let Some((k, step)) = self.facts.get(&call.n).and_then(|fact| fact.place) else { continue };
                let (before, before_n) = last.insert(k, (step, call.n)).unwrap_or_default();
                if step != before + 1 {
                    let this = self.describe(call.n);
                    let other = if before == 0 { "nothing".into() } else { self.describe(before_n) };
                    let calls = self.tell(&self.calls[&(call.n, *target)]);
                    faults.push(format!("out of order: {target:?} was first told of {this} right after {other}; its calls: {calls}"));
                }
            }
        }
        faults
    }

    /// Whether the shop's own counters agree with its facts; if not, a transaction was torn.
    fn miscounted(&self) -> Vec<String> {
        let mut counted: BTreeMap<i64, i64> = self.counters.keys().map(|k| (*k, 0)).collect();
        self.facts.values().filter_map(|fact| fact.place).for_each(|(k, _)| *counted.entry(k).or_default() += 1);
        let torn = self.counters.iter().filter(|(k, step)| counted.get(k) != Some(step));
        torn.map(|(k, step)| format!("torn: the counter of key {k} is at {step}, but there are {:?} facts", counted.get(k))).collect()
    }

    /// Units of work that said one thing while the database did another.
    fn false_verdicts(&self, sales: &[Sale]) -> Vec<String> {
        let is_false = |sale: &&Sale| match &sale.verdict {
            Verdict::Committed => !self.has_sale(sale),
            Verdict::RolledBack | Verdict::Failed(_) => self.has_sale(sale),
            Verdict::Unknown(_) => false,
        };
        let committed = |sale| if self.has_sale(sale) { "committed" } else { "not committed" };
        sales.iter().filter(is_false).map(|sale| format!("false: {sale:?}, but it is {}", committed(sale))).collect()
    }

    /// The moment all others are counted from.
    pub(super) fn begun(&self) -> i64 {
        self.facts.values().map(|fact| fact.at).min().unwrap_or_default()
    }

    pub(super) fn describe(&self, n: i64) -> String {
        let Some(fact) = self.facts.get(&n) else { return format!("{n} (not committed)") };
        let place = fact.place.map_or_else(String::new, |(k, step)| format!(", key {k} step {step}"));
        format!("{n} (written by process {} at {}{place})", fact.keeper, seconds(fact.at - self.begun()))
    }

    pub(super) fn tell(&self, calls: &[Call]) -> String {
        let attempt = |call: &Call| call.attempt.map_or_else(String::new, |attempt| format!(", attempt {attempt}"));
        let told = calls.iter().map(|call| format!("process {} at {}{}", call.keeper, seconds(call.at - self.begun()), attempt(call)));
        told.collect::<Vec<_>>().join("; ")
    }
}

pub(super) fn seconds(micros: i64) -> String {
    format!("{:.3} s", micros as f64 / 1e6)
}

fn n(column: Option<i64>) -> i64 {
    column.expect("the column is never null")
}
