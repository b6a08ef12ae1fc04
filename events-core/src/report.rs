//! What a process says about itself, for people to look at: written into the database now and then, so that a dashboard in another process
//! can show it. Nothing is decided by it.

use crate::engine::Engine;
use crate::retry::around;
use crate::stats::count;
use crate::{LoopHealth, Stats};
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use time::OffsetDateTime;

/// How many samples a report has: ten minutes, if there is one every ten seconds.
const SAMPLES: usize = 60;

/// The upper bounds of the classes in which latencies are counted, in milliseconds; a last class has what takes longer.
pub const LATENCY_BOUNDS: [u64; 16] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 3_600_000];
const CLASSES: usize = LATENCY_BOUNDS.len() + 1;

/// What a process says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessReport {
    /// Release of this library.
    #[serde(default)]
    pub release: String,
    /// Whether it only publishes.
    #[serde(default)]
    pub publish_only: bool,
    /// Its targets.
    #[serde(default)]
    pub targets: Vec<String>,
    /// How many deliveries are in its memory.
    #[serde(default)]
    pub in_flight: usize,
    /// What happened since it was started.
    #[serde(default)]
    pub stats: Stats,
    /// How its loops are doing.
    #[serde(default)]
    pub loops: Vec<LoopReport>,
    /// The last minutes, oldest first.
    #[serde(default)]
    pub samples: Vec<Sample>,
}

/// How a loop is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LoopReport {
    /// Which.
    pub name: String,
    /// How long before the report it last did its work, in milliseconds; `None` for never.
    pub success_ago: Option<u64>,
    /// How often it failed.
    pub failures: u64,
    /// How often it panicked and was started again.
    pub restarts: u64,
    /// Whether it leaves its work to the process that leads.
    pub standby: bool,
}

/// What happened in one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sample {
    /// When it ended, in seconds after the Unix epoch by the process's clock.
    pub at: i64,
    /// How long it was, in milliseconds.
    pub millis: u64,
    /// Deliveries that were stored.
    pub published: u64,
    /// Deliveries that arrived.
    pub delivered: u64,
    /// Attempts that failed and will be repeated.
    pub retried: u64,
    /// Deliveries that went to the dead letters.
    pub dead: u64,
    /// How long after publishing they were settled: how many in each class of [`LATENCY_BOUNDS`].
    pub latencies: Vec<u64>,
}

impl Sample {
    /// The latency that a share of the deliveries did not exceed, in milliseconds: the bound of its class. `None` if nothing was delivered, or
    /// it took longer than the last bound.
    #[must_use]
    pub fn quantile(latencies: &[u64], share: f64) -> Option<u64> {
        let all: u64 = latencies.iter().sum();
        let wanted = (all as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (class, many) in latencies.iter().enumerate() {
            seen += many;
            if all > 0 && seen >= wanted {
                return LATENCY_BOUNDS.get(class).copied();
            }
        }
        None
    }
}

/// Counts how long after publishing deliveries were settled.
#[derive(Default)]
pub(crate) struct Latencies([AtomicU64; CLASSES]);

impl Latencies {
    /// Counts a delivery that arrived now.
    pub(crate) fn count(&self, published: OffsetDateTime) {
        // Clocks of different machines differ: what arrives before it was published took no time.
        let took = u64::try_from((OffsetDateTime::now_utc() - published).whole_milliseconds()).unwrap_or(0);
        let class = LATENCY_BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(CLASSES - 1);
        count(&self.0[class], 1);
    }

    fn snapshot(&self) -> Vec<u64> {
        self.0.iter().map(|class| class.load(Relaxed)).collect()
    }
}

/// What was counted when the last sample was taken, and the samples since.
#[derive(Default)]
pub(crate) struct Samples(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    at: Option<OffsetDateTime>,
    stats: Stats,
    latencies: Vec<u64>,
    samples: Vec<Sample>,
}

impl Samples {
    fn take(&self, stats: Stats, latencies: Vec<u64>) -> Vec<Sample> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = OffsetDateTime::now_utc();
        let before = taken.stats;
        let delivered = |stats: &Stats| stats.delivered_from_memory + stats.delivered_by_scanner;
        if let Some(at) = taken.at {
            let earlier = &taken.latencies;
            let sample = Sample {
                at: now.unix_timestamp(),
                millis: u64::try_from((now - at).whole_milliseconds()).unwrap_or(0),
                published: stats.published - before.published,
                delivered: delivered(&stats) - delivered(&before),
                retried: stats.retried - before.retried,
                dead: stats.dead - before.dead,
                latencies: latencies.iter().zip(earlier).map(|(now, before)| now - before).collect(),
            };
            if taken.samples.len() >= SAMPLES {
                taken.samples.remove(0);
            }
            taken.samples.push(sample);
        }
        (taken.at, taken.stats, taken.latencies) = (Some(now), stats, latencies);
        taken.samples.clone()
    }
}

impl Engine {
    pub(crate) async fn report_for_ever(&self) {
        loop {
            match self.check_in().await {
                Ok(()) => self.reporter_health.succeeded(),
                Err(error) => {
                    self.reporter_health.failed();
                    tracing::debug!(error = error.report(), "the report of this process could not be written");
                }
            }
            tokio::time::sleep(around(self.options.report)).await;
        }
    }

    /// Writes down how this process is doing.
    pub(crate) async fn check_in(&self) -> Result<(), crate::Error> {
        let report = self.process_report();
        self.bounded("reporting", self.store.check_in(self.process, &report)).await
    }

    /// Says that this process is gone. Who dies without it is forgotten after a while.
    pub(crate) async fn check_out(&self, limit: Duration) {
        if !matches!(tokio::time::timeout(limit, self.store.check_out(self.process)).await, Ok(Ok(()))) {
            tracing::debug!("this process could not be crossed off the list of processes; it is forgotten after a while");
        }
    }

    fn process_report(&self) -> ProcessReport {
        let stats = self.counters.snapshot();
        let mut targets: Vec<String> = self.lane_of.keys().map(ToString::to_string).collect();
        targets.sort_unstable();
        ProcessReport {
            release: env!("CARGO_PKG_VERSION").to_owned(),
            publish_only: self.options.publish_only,
            targets,
            in_flight: self.in_flight(),
            stats,
            loops: self.loop_health().into_iter().map(LoopReport::from).collect(),
            samples: self.samples.take(stats, self.latencies.snapshot()),
        }
    }
}

impl From<LoopHealth> for LoopReport {
    fn from(health: LoopHealth) -> Self {
        let ago = |at: OffsetDateTime| u64::try_from((OffsetDateTime::now_utc() - at).whole_milliseconds()).unwrap_or(0);
        Self {
            name: health.name.to_owned(),
            success_ago: health.last_success.map(ago),
            failures: health.failures,
            restarts: health.restarts,
            standby: health.standby,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_what_happened_since_the_one_before() {
        let samples = Samples::default();
        let stats = |published, delivered| Stats { published, delivered_from_memory: delivered, ..Stats::default() };
        assert_eq!(samples.take(stats(10, 7), vec![7, 0]), [], "what happened before the first look has no time");
        let taken = samples.take(stats(15, 9), vec![8, 1]);
        assert_eq!((taken.len(), taken[0].published, taken[0].delivered, &*taken[0].latencies), (1, 5, 2, &[1, 1][..]));
        for n in 0..100 {
            samples.take(stats(15 + n, 9), vec![8, 1]);
        }
        let taken = samples.take(stats(115, 9), vec![8, 1]);
        assert_eq!((taken.len(), taken[SAMPLES - 1].published), (SAMPLES, 1));
    }

    #[test]
    fn a_quantile_is_the_bound_of_its_class() {
        let mut latencies = vec![0; CLASSES];
        assert_eq!(Sample::quantile(&latencies, 0.5), None);
        (latencies[0], latencies[4]) = (98, 2);
        assert_eq!((Sample::quantile(&latencies, 0.5), Sample::quantile(&latencies, 0.99)), (Some(5), Some(100)));
        latencies[CLASSES - 1] = 1_000;
        assert_eq!(Sample::quantile(&latencies, 0.99), None, "longer than the last bound");
    }

    #[test]
    fn a_latency_is_never_negative() {
        let latencies = Latencies::default();
        latencies.count(OffsetDateTime::now_utc() + Duration::from_secs(60));
        latencies.count(OffsetDateTime::now_utc() - Duration::from_secs(7_200));
        let counted = latencies.snapshot();
        assert_eq!((counted[0], counted[CLASSES - 1], counted.iter().sum::<u64>()), (1, 1, 2));
    }
}
