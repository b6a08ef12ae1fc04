//! Now and then: purges what is no longer needed, frees what somebody blocked by hand, counts what nobody takes.

use crate::Error;
use crate::engine::Engine;
use crate::retry::around;
use crate::stats::count;
use std::sync::{Arc, atomic::Ordering};

/// Every how many rounds maintenance does what costs a walk over all keys.
const THOROUGH_ROUNDS: u64 = 10;

impl Engine {
    pub(crate) async fn maintain_for_ever(&self) {
        for round in 0_u64.. {
            match self.maintain(round % THOROUGH_ROUNDS == 0).await {
                Ok(()) => self.maintenance_health.succeeded(),
                Err(error) => {
                    self.maintenance_health.failed();
                    count(&self.counters.store_errors, 1);
                    tracing::warn!(error = error.report(), "maintenance failed; it is repeated");
                }
            }
            tokio::time::sleep(around(self.options.maintenance)).await;
        }
    }

    pub(crate) async fn maintain(&self, thorough: bool) -> Result<(), Error> {
        const LIMIT: u32 = 1_000;
        while self.bounded("purging", self.store.purge(LIMIT)).await? >= u64::from(LIMIT) {
            tokio::task::yield_now().await;
        }
        self.adopt().await?;
        // A renamed delivery that an older process had under way does not free its key under the new name.
        if thorough || !self.renamed.is_empty() {
            let freed = self.bounded("freeing keys that wait for nothing", self.store.free_stuck()).await?;
            if freed > 0 {
                tracing::warn!(freed, "deliveries waited for a key that nothing held any more; was a row deleted by hand?");
                self.wake.notify_one();
            }
        }
        let known: Vec<Arc<str>> = self.lane_of.keys().cloned().collect();
        let orphans = self.bounded("counting orphaned deliveries", self.store.orphans(&known)).await?;
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

    /// Older processes may go on publishing under an earlier name, so this is repeated.
    pub(crate) async fn adopt(&self) -> Result<(), Error> {
        if self.renamed.is_empty() {
            return Ok(());
        }
        let adopted = self.bounded("renaming deliveries", self.store.adopt(&self.renamed)).await?;
        if adopted > 0 {
            tracing::info!(adopted, "deliveries under earlier names of handlers were taken over");
        }
        Ok(())
    }
}
