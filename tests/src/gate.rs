//! A gate that a handler waits at until the test opens it.

use std::sync::Arc;
use tokio::sync::watch;

/// Open until it is closed. Clones are one gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
}

impl Gate {
    /// Nobody passes any more.
    pub fn close(&self) {
        self.0.send_replace(false);
    }

    /// Everybody passes.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the gate is open.
    pub async fn pass(&self) {
        // The sender lives in `self`, so it cannot be gone.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}
