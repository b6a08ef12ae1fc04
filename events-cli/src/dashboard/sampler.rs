//! Looks at the databases now and then, so that pages can show how it has been, and show it at once.

use super::Inner;
use events_sqlx::{Console, Overview};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5);
/// How many looks are remembered: an hour.
const KEPT: usize = 720;
/// To how many deliveries of each target and state it counts: fewer where there are many targets, so that a look reads about as much.
const COUNT: std::ops::RangeInclusive<u32> = 10_000..=100_000;
const COUNT_ALL: usize = 100_000;
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one look saw: by target, how many wait and how long the first has been due, in seconds.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) at: i64,
    pub(super) targets: BTreeMap<String, (u64, f64)>,
}

/// The looks at one database.
#[derive(Default)]
pub(super) struct Samples(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    looks: VecDeque<Look>,
    latest: Option<(Instant, Overview)>,
}

impl Samples {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn looks(&self) -> Vec<Look> {
        self.taken().looks.iter().cloned().collect()
    }

    /// What was seen lately; asks the database if that is too long ago.
    pub(super) async fn overview(&self, console: &Console) -> Result<Overview, events_core::Error> {
        let latest = self.taken().latest.clone();
        match latest {
            Some((at, overview)) if at.elapsed() < EVERY => Ok(overview),
            _ => self.look(console).await,
        }
    }

    /// Forgets what was seen lately, because somebody has just changed it.
    pub(super) fn forget(&self) {
        self.taken().latest = None;
    }

    async fn look(&self, console: &Console) -> Result<Overview, events_core::Error> {
        let targets = self.taken().looks.back().map_or(usize::MAX, |look| look.targets.len());
        let share = u32::try_from(COUNT_ALL / targets.max(1)).unwrap_or(u32::MAX);
        let overview = console.overview(share.clamp(*COUNT.start(), *COUNT.end())).await?;
        let of = |backlog: &events_sqlx::Backlog| {
            let many = backlog.due + backlog.leased + backlog.later + backlog.key;
            (backlog.target.clone(), (many, backlog.due_for.unwrap_or_default().as_secs_f64()))
        };
        let look = Look { at: overview.now.unix_timestamp(), targets: overview.backlogs.iter().map(of).collect() };
        let mut taken = self.taken();
        taken.latest = Some((Instant::now(), overview.clone()));
        if taken.looks.back().is_none_or(|last| look.at - last.at >= 4) {
            taken.looks.push_back(look);
            if taken.looks.len() > KEPT {
                taken.looks.pop_front();
            }
        }
        Ok(overview)
    }
}

/// Looks as long as there is a dashboard.
pub(super) async fn sample_for_ever(dashboard: Weak<Inner>) {
    loop {
        let Some(inner) = dashboard.upgrade() else { return };
        for database in inner.databases.values() {
            match tokio::time::timeout(PATIENCE, database.samples.look(&database.console)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::debug!(error = error.report(), "a look at a database failed"),
                Err(_) => tracing::debug!("a look at a database took too long"),
            }
        }
        drop(inner);
        tokio::time::sleep(EVERY).await;
    }
}
