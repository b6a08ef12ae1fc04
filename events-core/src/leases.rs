//! The leases this process holds, so that the heartbeat can renew them and nothing is delivered under an expired one.

use crate::{DeliveryId, Lease, LeaseToken};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// All leases of deliveries in memory. The times are this process's own, and begin before the database's: a lease believed to be alive
/// here is alive there.
#[derive(Default)]
pub(crate) struct Leases(Mutex<Map>);

/// Every delivery passes here four times, and its id is our own: no hash against attackers is needed.
type Map = HashMap<DeliveryId, Held, RandomState>;

struct Held {
    token: LeaseToken,
    expires: Instant,
}

/// The place of a delivery in this process: it is here once, however often it was claimed. Dropping it ends the renewals, so that no
/// delivery can be forgotten and still be kept from others.
pub(crate) struct HeldLease {
    leases: Arc<Leases>,
    id: DeliveryId,
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.leases.map().remove(&self.id);
    }
}

impl Leases {
    /// Holds the lease of a delivery that is not in memory yet.
    pub(crate) fn hold(self: &Arc<Self>, lease: Lease, expires: Instant) -> HeldLease {
        self.map().insert(lease.id, Held { token: lease.token, expires });
        HeldLease { leases: Arc::clone(self), id: lease.id }
    }

    /// Takes over a new claim of a delivery that is still in memory, under way or waiting to be settled, because its lease ran out and this
    /// process was the one to lease it again: it must not be delivered a second time beside itself. Returns false if it is not in memory.
    pub(crate) fn take_over(&self, lease: Lease, expires: Instant) -> bool {
        let mut map = self.map();
        let Some(held) = map.get_mut(&lease.id) else { return false };
        *held = Held { token: lease.token, expires };
        true
    }

    /// Writes the latest claims into leases that are about to be settled.
    pub(crate) fn refresh<'a>(&self, leases: impl Iterator<Item = &'a mut Lease>) {
        let map = self.map();
        for lease in leases {
            if let Some(held) = map.get(&lease.id) {
                lease.token = held.token;
            }
        }
    }

    /// Believes no longer in a lease, because it is lost.
    pub(crate) fn lost(&self, lease: Lease) {
        if let Some(held) = self.map().get_mut(&lease.id).filter(|held| held.token == lease.token) {
            held.expires = Instant::now();
        }
    }

    pub(crate) fn is_alive(&self, id: DeliveryId) -> bool {
        self.map().get(&id).is_some_and(|held| Instant::now() < held.expires)
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

    fn map(&self) -> MutexGuard<'_, Map> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_dies_with_its_time_and_may_be_claimed_again() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(5));
        let leases = Arc::new(Leases::default());
        let lease = Lease { id: DeliveryId::now(), token: LeaseToken::fresh() };
        let held = leases.hold(lease, later);
        leases.lost(Lease { token: LeaseToken::fresh(), ..lease });
        assert!(leases.is_alive(lease.id), "another claim was lost");
        assert_eq!(leases.expiring(Duration::from_secs(10)), [lease]);
        leases.renewed(&[lease], now);
        assert!(!leases.is_alive(lease.id));
        let again = Lease { token: LeaseToken::fresh(), ..lease };
        assert!(leases.take_over(again, later));
        assert!(leases.is_alive(lease.id));
        let mut settled = lease;
        leases.refresh(std::iter::once(&mut settled));
        assert_eq!(settled, again);
        leases.lost(again);
        assert!(!leases.is_alive(lease.id));
        drop(held);
        assert!(!leases.take_over(lease, later));
    }
}
