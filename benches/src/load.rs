//! Tasks that run units of work side by side for a while.

use crate::database::Database;
use crate::peer::Peers;
use crate::publisher::{Publisher, Unit};
use crate::sample::{Latencies, Sample};
use crate::system::System;
use crate::variant::Variant;
use anyhow::Context;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Units of work of each task before the measurement begins: connections are open, statements prepared.
const WARM_UP: u64 = 20;

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) tasks: usize,
    pub(crate) unit: Unit,
    /// For how long units of work are begun.
    pub(crate) time: Duration,
}

impl Load {
    /// Measures one side in an emptied database. Its time ends with the last COMMIT or, if the events are delivered, with the last
    /// settlement; its latencies are those of the units of work.
    pub(crate) async fn measure<S: System>(&self, database: &Database<S>, variant: Variant, peers: &Peers) -> anyhow::Result<Sample> {
        database.clear().await?;
        if let Variant::Peer(name) = variant {
            return peers.measure(name, database, self).await;
        }
        let mut sample = self.measure_on_top(database, variant).await?;
        sample.cost.dead_rows = S::dead_rows(&database.control).await?;
        Ok(sample)
    }

    /// As [`measure`](Self::measure), in a database that is as full as it is.
    pub(crate) async fn measure_on_top<S: System>(&self, database: &Database<S>, variant: Variant) -> anyhow::Result<Sample> {
        self.measure_in_a_row(database, variant, Instant::now(), 1).await?.pop_back().context("at least one sample is taken")
    }

    /// Measures the same publisher again and again, at least once and until the time is `end`; returns the last `keep` samples.
    pub(crate) async fn measure_in_a_row<S: System>(
        &self,
        database: &Database<S>,
        variant: Variant,
        end: Instant,
        keep: usize,
    ) -> anyhow::Result<VecDeque<Sample>> {
        let publisher = Arc::new(Publisher::start(variant, database, self.tasks, self.unit).await?);
        let (mut all, _) = self.spread(&publisher, Until::Units(WARM_UP)).await?;
        self.wait_until_settled(&publisher, all).await?;
        let mut samples = VecDeque::new();
        while Instant::now() < end || samples.is_empty() {
            let meter = database.meter().await?;
            let (units, latencies) = self.spread(&publisher, Until::Time(Instant::now() + self.time)).await?;
            all += units;
            self.wait_until_settled(&publisher, all).await?;
            let took = meter.elapsed();
            let cost = meter.stop(database).await?;
            // A unit of work without events counts as if it had them, so that it can be compared.
            samples.push_back(Sample { events: units * u64::from(self.unit.events), took, cost, latencies });
            if samples.len() > keep {
                samples.pop_front();
            }
        }
        if let Some(publisher) = Arc::into_inner(publisher) {
            publisher.stop().await?;
        }
        Ok(samples)
    }

    async fn wait_until_settled<S: System>(&self, publisher: &Publisher<S>, units: u64) -> anyhow::Result<()> {
        if !self.unit.delivered || matches!(publisher, Publisher::Bare(_)) {
            return Ok(());
        }
        let deliveries = units * u64::from(self.unit.events) * self.unit.kind.targets().len() as u64;
        while publisher.settled()? < deliveries {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Runs units of work on all tasks; returns how many there were, and how long each took.
    async fn spread<S: System>(&self, publisher: &Arc<Publisher<S>>, until: Until) -> anyhow::Result<(u64, Latencies)> {
        let mut set = JoinSet::new();
        for task in 0..self.tasks as u64 {
            let (publisher, unit, tasks) = (Arc::clone(publisher), self.unit, self.tasks as u64);
            set.spawn(async move {
                let mut latencies = Latencies::none()?;
                let mut units = 0;
                while until.goes_on(units) {
                    let begun = Instant::now();
                    publisher.run(unit, units * tasks + task).await?;
                    latencies.note(begun.elapsed());
                    units += 1;
                }
                anyhow::Ok((units, latencies))
            });
        }
        let (mut units, mut all) = (0, Latencies::none()?);
        while let Some(done) = set.join_next().await {
            let (more, latencies) = done??;
            units += more;
            all.add(&latencies)?;
        }
        Ok((units, all))
    }
}

#[derive(Clone, Copy)]
enum Until {
    Time(Instant),
    /// Per task.
    Units(u64),
}

impl Until {
    fn goes_on(self, done: u64) -> bool {
        match self {
            Self::Time(end) => Instant::now() < end,
            Self::Units(units) => done < units,
        }
    }
}
