//! The leader lease: of all processes on one outbox, one does what would be wasted if each of them did it.
//!
//! It saves work and is no lock: who leads late does no harm, because every delivery still has a lease of its own.

use crate::engine::Engine;
use crate::{Error, LeaseToken};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a relay leads, or would like to. The times are this process's own, and begin before the database's: who believes to lead, leads.
pub(crate) struct Leadership {
    name: &'static str,
    /// Made at random for each relay, so that two processes on one host, or two relays in one process, are never taken for each other.
    token: LeaseToken,
    /// Until when this relay leads.
    expires: Mutex<Option<Instant>>,
    /// One call at a time; true when this relay has resigned for good.
    resigned: tokio::sync::Mutex<bool>,
}

impl Leadership {
    pub(crate) fn of(name: &'static str) -> Self {
        Self { name, token: LeaseToken::fresh(), expires: Mutex::default(), resigned: tokio::sync::Mutex::default() }
    }

    /// Whether this relay leads now.
    pub(crate) fn is_held(&self) -> bool {
        self.expires().is_some_and(|expires| Instant::now() < expires)
    }

    /// Whether this relay leads, but not for much longer than `within`.
    fn expires_within(&self, within: Duration) -> bool {
        self.expires().is_some_and(|expires| (Instant::now()..Instant::now() + within).contains(&expires))
    }

    fn expires(&self) -> MutexGuard<'_, Option<Instant>> {
        self.expires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Whether this relay leads; takes the lead if it is free.
    pub(crate) async fn leads(&self, leadership: &Leadership) -> Result<bool, Error> {
        Ok(leadership.is_held() || self.lead(leadership).await?)
    }

    /// Takes or renews the lead.
    async fn lead(&self, leadership: &Leadership) -> Result<bool, Error> {
        let resigned = leadership.resigned.lock().await;
        if *resigned {
            return Ok(false);
        }
        let lease = self.options.lease;
        let begun = Instant::now();
        // After an error the old lease goes on: it may still be renewed in time.
        let leads = self.bounded("taking the lead", self.store.lead(leadership.name, leadership.token, lease)).await?;
        let led = std::mem::replace(&mut *leadership.expires(), leads.then(|| begun + lease)).is_some();
        match (led, leads) {
            (false, true) => tracing::info!(name = leadership.name, "this process leads"),
            (true, false) => tracing::warn!(name = leadership.name, "another process leads; this one stands by"),
            _ => {}
        }
        Ok(leads)
    }

    /// Renews what this relay leads when a third of its time is used up.
    pub(crate) async fn renew_leaderships(&self) -> Result<(), Error> {
        for leadership in [&self.scanner_lead, &self.maintenance_lead] {
            if leadership.expires_within(self.options.lease * 2 / 3) {
                self.lead(leadership).await?;
            }
        }
        Ok(())
    }

    /// Gives up the lead for good, so that another process takes over at once and not only when the lease has run out.
    pub(crate) async fn resign(&self, leadership: &Leadership) {
        let mut resigned = leadership.resigned.lock().await;
        *resigned = true;
        if leadership.expires().take().is_none() {
            return;
        }
        if let Err(error) = self.bounded("resigning the lead", self.store.resign(leadership.name, leadership.token)).await {
            self.meter.store_error();
            tracing::warn!(name = leadership.name, error = error.report(), "the lead could not be resigned; it runs out by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_ends_with_its_time_and_is_renewed_before() {
        let leadership = Leadership::of("scanner");
        assert!(!leadership.is_held() && !leadership.expires_within(Duration::from_secs(1_000_000)));
        *leadership.expires() = Some(Instant::now() + Duration::from_secs(20));
        assert!(leadership.is_held() && leadership.expires_within(Duration::from_secs(21)));
        assert!(!leadership.expires_within(Duration::from_secs(10)));
        *leadership.expires() = Some(Instant::now());
        assert!(!leadership.is_held() && !leadership.expires_within(Duration::from_secs(21)));
    }

    #[test]
    fn two_relays_are_never_taken_for_each_other() {
        assert_ne!(Leadership::of("scanner").token, Leadership::of("scanner").token);
    }
}
