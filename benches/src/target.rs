//! What is asked of the figures, and whether they reach it.

use crate::record::Record;

/// One thing asked.
pub(crate) struct Target {
    what: String,
    /// `None` if it was not measured.
    figure: Option<f64>,
    limit: Limit,
}

#[derive(Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

/// How many tasks publish in the comparisons that count.
const TASKS: usize = 32;

impl Target {
    /// What is asked of a run on PostgreSQL; on others the same figures are good to know.
    pub(crate) fn all(records: &[Record]) -> Vec<Self> {
        let find = |case: &str, variant: &str, tasks: Option<usize>| {
            records
                .iter()
                .find(|record| record.case == case && record.variant == variant && tasks.is_none_or(|tasks| record.tasks == tasks))
        };
        let ours = |case: &str| find(case, "ours", None);
        let rate = |case: &str| ours(case)?.events_per_s;
        let quotient = |one: Option<f64>, other: Option<f64>| Some(one? / other?);
        let to_floor = |case: &str, tasks: Option<usize>, figure: &dyn Fn(&Record) -> Option<f64>| {
            quotient(figure(find(case, "ours", tasks)?), figure(find(case, "floor", tasks)?))
        };
        let best_peer = records
            .iter()
            .filter(|record| record.case == "end-to-end" && record.tasks == TASKS && !["bare", "floor", "ours"].contains(&record.variant));
        let best_peer = best_peer.filter_map(|record| record.events_per_s).reduce(f64::max);
        let grown = |prefix: &str| {
            let sized = records.iter().filter(|record| record.variant == "ours");
            let sized = sized.filter_map(|record| Some((record.case.strip_prefix(prefix)?.parse::<u64>().ok()?, record.events_per_s?)));
            let mut sized: Vec<(u64, f64)> = sized.collect();
            sized.sort_by_key(|(waiting, _)| *waiting);
            quotient(sized.last().map(|(_, rate)| *rate), sized.first().map(|(_, rate)| *rate))
        };
        let millis = |case: &str| ours(case)?.p99_us.map(|micros| crate::sample::as_f64(micros) / 1e3);
        let target = |what: &str, figure, limit| Self { what: what.into(), figure, limit };
        let mut all = vec![
            target(
                "publish, throughput to floor",
                find("publish", "ours", Some(TASKS)).and_then(|it| it.ratio_to_floor),
                Limit::AtLeast(1.0),
            ),
            target(
                "end-to-end, throughput to floor",
                find("end-to-end", "ours", Some(TASKS)).and_then(|it| it.ratio_to_floor),
                Limit::AtLeast(0.97),
            ),
            target(
                "end-to-end, throughput to the best peer",
                quotient(find("end-to-end", "ours", Some(TASKS)).and_then(|it| it.events_per_s), best_peer),
                Limit::AtLeast(1.6),
            ),
            target("drain, throughput to floor", ours("drain").and_then(|it| it.ratio_to_floor), Limit::AtLeast(1.0)),
            target("drain, two relays to one", quotient(rate("relays-2"), rate("relays-1")), Limit::AtLeast(1.6)),
        ];
        for (case, tasks) in [("publish", Some(TASKS)), ("end-to-end", Some(TASKS)), ("drain", None)] {
            all.push(target(
                &format!("{case}, WAL bytes to floor"),
                to_floor(case, tasks, &|it| it.wal_bytes_per_event),
                Limit::AtMost(1.0),
            ));
            all.push(target(&format!("{case}, CPU to floor"), to_floor(case, tasks, &Record::all_cpu), Limit::AtMost(1.1)));
        }
        all.extend([
            target("latency, p99 in ms", millis("latency"), Limit::AtMost(3.0)),
            target("latency from another process, p99 in ms", millis("latency-other-process"), Limit::AtMost(30.0)),
            target("growth, throughput with most waiting to least", grown("growth-"), Limit::AtLeast(0.9)),
            target("growth, drain with most waiting to least", grown("growth-drain-"), Limit::AtLeast(0.9)),
            target("snapshot, throughput to undisturbed", quotient(rate("snapshot"), rate("snapshot-undisturbed")), Limit::AtLeast(0.8)),
            target(
                "memory, highest in any case in MB",
                records.iter().filter(|it| it.variant == "ours").filter_map(|it| it.rss_mb).reduce(f64::max),
                Limit::AtMost(100.0),
            ),
        ]);
        all.retain(|target| target.figure.is_some());
        all
    }

    pub(crate) fn is_met(&self) -> bool {
        // As it is shown: what is beyond two digits is noise.
        let figure = self.figure.map(|figure| (figure * 100.0).round() / 100.0);
        match self.limit {
            Limit::AtLeast(limit) => figure.is_some_and(|figure| figure >= limit),
            Limit::AtMost(limit) => figure.is_some_and(|figure| figure <= limit),
        }
    }

    /// The cells of a row, as text.
    pub(crate) fn cells(&self) -> [String; 4] {
        let limit = match self.limit {
            Limit::AtLeast(limit) => format!("at least {limit:.2}"),
            Limit::AtMost(limit) => format!("at most {limit:.2}"),
        };
        let figure = self.figure.map_or_else(|| "-".into(), |figure| format!("{figure:.2}"));
        [self.what.clone(), figure, limit, if self.is_met() { "met" } else { "**missed**" }.into()]
    }
}

/// The columns of the table of targets.
pub(crate) const HEAD: [&str; 4] = ["asked", "measured", "target", "verdict"];

#[cfg(test)]
mod tests {
    use super::*;

    fn target(figure: f64, limit: Limit) -> Target {
        Target { what: String::new(), figure: Some(figure), limit }
    }

    #[test]
    fn a_target_is_met_or_missed() {
        assert!(target(1.5, Limit::AtMost(1.5)).is_met());
        assert!(!target(1.6, Limit::AtMost(1.5)).is_met());
        assert!(!target(0.7, Limit::AtLeast(0.8)).is_met());
        assert!(!target(f64::NAN, Limit::AtLeast(0.8)).is_met());
    }

    #[test]
    fn nothing_measured_is_nothing_asked() {
        assert!(Target::all(&[]).is_empty());
    }
}
