//! Now and then, in the process that leads: purges what is no longer needed, frees what somebody blocked by hand, counts what nobody takes.

use crate::Error;
use crate::engine::Engine;
use crate::retry::around;
use crate::targets::{TRANSPORT, TargetKind};
use std::sync::{Arc, atomic::Ordering};

/// How many keys are looked at in one call, and how many such calls one round of the loop makes.
const SWEEP: u32 = 1_000;
const SWEEPS: usize = 10;

impl Engine {
    pub(crate) async fn maintain_for_ever(&self) {
        loop {
            match self.maintain_in_turn().await {
                Ok(()) => self.maintenance_health.succeeded(),
                Err(error) => {
                    self.maintenance_health.failed();
                    self.meter.store_error();
                    tracing::warn!(error = error.report(), "maintenance failed; it is repeated");
                }
            }
            tokio::time::sleep(around(self.options.maintenance)).await;
        }
    }

    /// Maintains, unless another process leads; that one cannot know which handlers of this one were renamed.
    async fn maintain_in_turn(&self) -> Result<(), Error> {
        let leads = self.leads(&self.maintenance_lead).await?;
        self.maintenance_health.stands_by(!leads);
        if leads {
            return self.maintain(SWEEPS).await;
        }
        // What the leader counts is told by the leader.
        self.counters.orphaned.store(0, Ordering::Relaxed);
        if self.renamed.is_empty() {
            return Ok(());
        }
        self.adopt().await?;
        self.sweep(usize::MAX).await
    }

    /// One round; it makes at most `sweeps` steps on its way over the keys.
    pub(crate) async fn maintain(&self, sweeps: usize) -> Result<(), Error> {
        const LIMIT: u32 = 1_000;
        while self.bounded("purging", self.store.purge(LIMIT)).await? >= u64::from(LIMIT) {
            tokio::task::yield_now().await;
        }
        self.adopt().await?;
        // A renamed delivery that an older process had under way does not free its key under the new name: all keys, then.
        self.sweep(if self.renamed.is_empty() { sweeps } else { usize::MAX }).await?;
        let known: Vec<Arc<str>> = self.lane_of.keys().cloned().collect();
        let mut orphans = self.bounded("counting orphaned deliveries", self.store.orphans(&known)).await?;
        // A relay without handlers is not where anybody expects them.
        if !self.lanes.iter().any(|lane| matches!(lane.target.kind, TargetKind::Handler(_))) {
            orphans.retain(|orphan| orphan.target.starts_with(TRANSPORT));
        }
        for orphan in &orphans {
            tracing::warn!(
                target_name = orphan.target,
                waiting = orphan.waiting,
                "deliveries wait for a target that this process does not have; start a process that has it, or give a handler `renamed_from`"
            );
        }
        let waiting = orphans.iter().map(|orphan| orphan.waiting).sum();
        self.counters.orphaned.store(waiting, Ordering::Relaxed);
        Ok(())
    }

    /// Makes at most `sweeps` steps on the way over the keys, to the last one.
    async fn sweep(&self, sweeps: usize) -> Result<(), Error> {
        for _ in 0..sweeps {
            let swept = self.bounded("sweeping the keys", self.store.sweep(SWEEP)).await?;
            if swept.freed > 0 {
                tracing::warn!(freed = swept.freed, "deliveries waited for a key that nothing held any more; was a row deleted by hand?");
                self.look_everywhere();
            }
            if swept.done {
                break;
            }
        }
        Ok(())
    }

    /// Older processes may go on publishing under an earlier name, so this is repeated.
    pub(crate) async fn adopt(&self) -> Result<(), Error> {
        if self.renamed.is_empty() {
            return Ok(());
        }
        let adopted = self.bounded("renaming deliveries", self.store.adopt(&self.renamed)).await?;
        if adopted > 0 {
            // They are due as long as they were under their old name.
            self.depth().forget();
            tracing::info!(adopted, "deliveries under earlier names of handlers were taken over");
        }
        Ok(())
    }
}
