//! Wake-ups between processes. They only make it sooner: what is never announced, or never heard, is found by polling.

use crate::engine::Engine;
use crate::retry::around;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

/// At most one announcement in this time, however many commits there are.
const COALESCE: Duration = Duration::from_millis(10);
/// The pause after the connection of a listener was lost, the first and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(30);

impl Engine {
    /// Something became due that is not in this process's memory: its scanner looks now; where it has none, others are told.
    pub(crate) fn look(&self) {
        self.wake.notify_one();
        if !self.scans() {
            self.announcement.notify_one();
        }
    }

    /// Something became due that any process may take: everybody looks now.
    pub(crate) fn look_everywhere(&self) {
        self.wake.notify_one();
        self.announcement.notify_one();
    }

    /// Whether what becomes due is found by this process's own scanner.
    fn scans(&self) -> bool {
        !self.options.publish_only && !self.is_closing() && (!self.options.exclusive || self.scanner_lead.is_held())
    }

    /// Tells other processes to look, outside of all business transactions.
    pub(crate) async fn announce_for_ever(&self) {
        loop {
            self.announcement.notified().await;
            match self.bounded("telling other processes to look", self.store.announce()).await {
                Ok(()) => self.announcer_health.succeeded(),
                Err(error) => {
                    self.announcer_health.failed();
                    self.meter.store_error();
                    tracing::warn!(error = error.report(), "other processes could not be told to look; they find it by polling");
                }
            }
            tokio::time::sleep(COALESCE).await;
        }
    }

    /// Looks when another process says so, and after each time that it may have missed it.
    pub(crate) async fn listen_for_ever(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let heard = Arc::new(AtomicBool::new(false));
            let wake = {
                let (engine, heard) = (Arc::clone(&self), Arc::clone(&heard));
                move || {
                    heard.store(true, Ordering::Relaxed);
                    engine.listener_health.succeeded();
                    engine.wake.notify_one();
                }
            };
            let outcome = self.store.listen(Arc::new(wake)).await;
            if heard.load(Ordering::Relaxed) {
                pause = FIRST_PAUSE;
            }
            if let Err(error) = outcome {
                self.listener_health.failed();
                self.meter.store_error();
                tracing::warn!(error = error.report(), ?pause, "announcements of other processes are not heard; polling goes on meanwhile");
            }
            tokio::time::sleep(around(pause)).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
}
