//! What was told more than once, and why that may be.

use super::Target;
use super::books::{Books, Call, seconds};
use std::fmt;

/// Something that was done to the shop, with the times between which it happened.
#[derive(Clone, Copy, Debug)]
pub enum Blow {
    /// A process was killed.
    Killed {
        /// Which.
        keeper: i64,
        /// Before the signal.
        begun: i64,
        /// When it was gone.
        ended: i64,
    },
    /// The server crashed and came back.
    Restarted {
        /// Before the crash.
        begun: i64,
        /// When it answered again.
        ended: i64,
    },
}

/// Every second and later call for the same fact and target.
#[derive(Debug)]
pub struct Duplicates {
    /// The process that called before was killed in between.
    pub by_kill: usize,
    /// All others; each needs a lost lease.
    others: Vec<(Target, Call, Call)>,
    lease_lost: u64,
}

impl Blow {
    pub(super) fn tell(&self, since: i64) -> String {
        match self {
            Self::Killed { keeper, ended, .. } => format!("process {keeper} was killed at {}", seconds(ended - since)),
            Self::Restarted { begun, ended } => {
                format!("the server was away from {} to {}", seconds(begun - since), seconds(ended - since))
            }
        }
    }

    /// Whether this killed the process of the `first` call before there was a `second` one.
    fn explains(&self, first: &Call, second: &Call) -> bool {
        matches!(self, Self::Killed { keeper, begun, ended } if *keeper == first.keeper && first.at <= *ended && second.at >= *begun)
    }
}

impl Duplicates {
    pub(super) fn of(books: &Books, blows: &[Blow], lease_lost: u64) -> Self {
        let mut duplicates = Self { by_kill: 0, others: Vec::new(), lease_lost };
        for ((_, target), calls) in &books.calls {
            for pair in calls.windows(2) {
                // The one that was written down first need not have been made first.
                let (first, second) = if pair[0].at <= pair[1].at { (&pair[0], &pair[1]) } else { (&pair[1], &pair[0]) };
                if blows.iter().any(|blow| blow.explains(first, second)) {
                    duplicates.by_kill += 1;
                } else {
                    duplicates.others.push((*target, first.clone(), second.clone()));
                }
            }
        }
        duplicates
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_kill + self.others.len()
    }

    /// An effect in a unit of work happens once whatever happens; the others need a lost lease each.
    pub(super) fn faults(&self, books: &Books) -> Vec<String> {
        let tell = |(target, first, second): &(Target, Call, Call)| {
            format!("{} told {target:?} twice: {}", books.describe(first.n), books.tell(&[first.clone(), second.clone()]))
        };
        let mut faults: Vec<String> = self.others.iter().filter(|other| other.0 == Target::Enter).map(tell).collect();
        if self.others.len() as u64 > self.lease_lost {
            let (count, lost) = (self.others.len(), self.lease_lost);
            faults.push(format!("{count} duplicates of processes that were not killed, but only {lost} lost leases:"));
            faults.extend(self.others.iter().map(tell));
        }
        faults
    }
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by_kill, others, lease_lost } = self;
        write!(f, "duplicates={} (killed in between: {by_kill}, lease lost: {} of {lease_lost} lost leases)", self.count(), others.len())
    }
}
