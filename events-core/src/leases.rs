//! The leases this process holds, so that the heartbeat can renew them and nothing is delivered under an expired one.

use crate::{DeliveryId, Lease, LeaseToken};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// All leases of deliveries in memory. The times are this process's own, and begin before the database's: a lease believed to be alive
/// here is alive there.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<DeliveryId, Held>>);

struct Held {
    token: LeaseToken,
    expires: Instant,
}

/// A lease in memory. Dropping it ends the renewals, so that no delivery can be forgotten and still be kept from others.
pub(crate) struct HeldLease {
    leases: Arc<Leases>,
    lease: Lease,
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.leases.release(self.lease);
    }
}

impl Leases {
    pub(crate) fn hold(self: &Arc<Self>, lease: Lease, expires: Instant) -> HeldLease {
        self.map().insert(lease.id, Held { token: lease.token, expires });
        HeldLease { leases: Arc::clone(self), lease }
    }

    /// Forgets a lease, because it is over or lost.
    pub(crate) fn release(&self, lease: Lease) {
        let mut map = self.map();
        // A later claim of the same delivery may be in memory by now; it has another token.
        if map.get(&lease.id).is_some_and(|held| held.token == lease.token) {
            map.remove(&lease.id);
        }
    }

    pub(crate) fn is_alive(&self, lease: Lease) -> bool {
        self.map().get(&lease.id).is_some_and(|held| held.token == lease.token && Instant::now() < held.expires)
    }

    /// Leases that expire within `within`, and have not expired yet.
    pub(crate) fn expiring(&self, within: Duration) -> Vec<Lease> {
        let (now, limit) = (Instant::now(), Instant::now() + within);
        self.map()
            .iter()
            .filter(|(_, held)| held.expires > now && held.expires < limit)
            .map(|(id, held)| Lease { id: *id, token: held.token })
            .collect()
    }

    pub(crate) fn renewed(&self, leases: &[Lease], expires: Instant) {
        let mut map = self.map();
        for lease in leases {
            if let Some(held) = map.get_mut(&lease.id).filter(|held| held.token == lease.token) {
                held.expires = expires;
            }
        }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<DeliveryId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_dies_with_its_time_and_only_its_own_token_releases_it() {
        let leases = Arc::new(Leases::default());
        let lease = Lease { id: DeliveryId::now(), token: LeaseToken::fresh() };
        let held = leases.hold(lease, Instant::now() + Duration::from_secs(5));
        assert!(leases.is_alive(lease));
        leases.release(Lease { token: LeaseToken::fresh(), ..lease });
        assert!(leases.is_alive(lease));
        assert_eq!(leases.expiring(Duration::from_secs(10)), [lease]);
        leases.renewed(&[lease], Instant::now());
        assert!(!leases.is_alive(lease));
        drop(held);
        assert!(leases.map().is_empty());
    }
}
