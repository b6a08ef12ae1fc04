//! Keeps the leases of deliveries in memory and of leaderships alive, on a task and a connection of its own.

use crate::Error;
use crate::engine::Engine;
use std::time::Instant;

impl Engine {
    pub(crate) async fn beat_for_ever(&self) {
        loop {
            tokio::time::sleep(self.options.lease / 6).await;
            // Neither waits for the other: one that fails must not cost the other its lease.
            let (leases, leaderships) = tokio::join!(self.renew_leases(), self.renew_leaderships());
            match leases.and(leaderships) {
                Ok(()) => self.heartbeat_health.succeeded(),
                Err(error) => {
                    self.heartbeat_health.failed();
                    self.meter.store_error();
                    tracing::warn!(error = error.report(), "leases could not be renewed; trying again");
                }
            }
        }
    }

    pub(crate) async fn renew_leases(&self) -> Result<(), Error> {
        let expiring = self.leases.expiring(self.options.lease * 2 / 3);
        for leases in expiring.chunks(1_000) {
            let begun = Instant::now();
            let lost = self.bounded("renewing leases", self.store.renew(leases, self.options.lease)).await?;
            self.leases.renewed(leases, begun + self.options.lease);
            for id in &lost {
                // What runs will find out when it is settled; what waits will not be started.
                if let Some(lease) = leases.iter().find(|lease| lease.id == *id) {
                    self.leases.lost(*lease);
                }
            }
        }
        Ok(())
    }
}
