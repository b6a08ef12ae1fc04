//! Which transfers there are: drawn by lot, and the same again with the same seed.

use crate::transfer::Transfer;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// How many accounts each bank has.
pub(crate) const ACCOUNTS: i64 = 200;
/// What is on each account of bank1 in the beginning: 10,000.00.
pub(crate) const OPENING_CENTS: i64 = 1_000_000;
/// The first account of bank1, and that of bank2.
pub(crate) const FIRST_FROM: i64 = 1_001;
pub(crate) const FIRST_TO: i64 = 2_001;

/// One transfer in fifty asks for more than an account ever had.
const TOO_MUCH: f64 = 0.02;

/// The lot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Share of the transfers that go to an account which does not exist.
    pub(crate) unknown: f64,
}

impl Plan {
    /// The transfer of that number. Each has dice of its own, so that it does not depend on those before it.
    pub(crate) fn transfer(&self, transfer_id: i64) -> Transfer {
        let mut dice = StdRng::seed_from_u64(self.seed.wrapping_add_signed(transfer_id));
        let from_account = FIRST_FROM + dice.random_range(0..ACCOUNTS);
        let is_unknown = dice.random_bool(self.unknown);
        let to_account = FIRST_TO + dice.random_range(0..ACCOUNTS) + if is_unknown { ACCOUNTS } else { 0 };
        let most = if dice.random_bool(TOO_MUCH) { OPENING_CENTS * 5 } else { OPENING_CENTS / 40 };
        Transfer { transfer_id, from_account, to_account, amount_cents: dice.random_range(most / 10..=most) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_the_same_again_and_another_one_with_another_seed() {
        let plan = Plan { seed: 7, unknown: 0.1 };
        let transfers: Vec<_> = (1..=100).map(|id| plan.transfer(id)).collect();
        assert_eq!(transfers, (1..=100).map(|id| plan.transfer(id)).collect::<Vec<_>>());
        assert_ne!(transfers, (1..=100).map(|id| Plan { seed: 1_000, ..plan }.transfer(id)).collect::<Vec<_>>());
        let unknown = transfers.iter().filter(|transfer| transfer.to_account >= FIRST_TO + ACCOUNTS).count();
        assert!((1..50).contains(&unknown), "{unknown}");
        assert!(transfers.iter().all(|transfer| transfer.amount_cents > 0));
    }
}
