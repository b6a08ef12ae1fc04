//! How far back the scanner looks. Pure: it knows no clock, only what earlier looks found and took.
//!
//! While somebody holds an old snapshot open, no database can remove what was delivered, and every look at all that is due passes over the
//! remains: a second and more after a few million deliveries. But they lie behind: what a look left nothing of needs not be looked at
//! again, because what becomes due later is due later. So looks that have become slow only go back to the last one, and a share of the
//! time is left for looks at everything, which also find what came late: a delivery whose COMMIT took long, one that was skipped because
//! somebody had it locked, one whose time was changed by hand.

use crate::{LeaseRequest, TargetRequest};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A look at everything that takes less than this is not worth avoiding.
const CHEAP: Duration = Duration::from_millis(5);
/// Looks at everything may take one part in so many of the time.
const SHARE: u32 = 20;
/// So much further back than the last look: what was written then may have been committed a little later.
const MARGIN: Duration = Duration::from_secs(2);

/// What is known of each target's part of the table.
#[derive(Debug, Default)]
pub(crate) struct Depth(HashMap<Arc<str>, Seen>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// When the last look began that left nothing due.
    emptied: Instant,
    /// The last look at everything that left nothing due: when it ended, and how long it took.
    whole: (Instant, Duration),
}

impl Depth {
    /// How far back to look for deliveries of `target`; `None` for a look at everything.
    pub(crate) fn of(&self, target: &str, now: Instant) -> Option<Duration> {
        let Seen { emptied, whole: (ended, took) } = self.0.get(target)?;
        let is_due = *took < CHEAP || now.duration_since(*ended) >= *took * SHARE;
        (!is_due).then(|| now.duration_since(*emptied) + MARGIN)
    }

    /// Learns from a look that began and ended then; `got` says how many deliveries of a target it found.
    pub(crate) fn learn(&mut self, request: &LeaseRequest, begun: Instant, ended: Instant, got: impl Fn(&TargetRequest) -> usize) {
        for target in &request.targets {
            // It got all it asked for, and there is probably more.
            if got(target) >= target.limit as usize {
                continue;
            }
            let whole = match target.within {
                None => (ended, ended.duration_since(begun)),
                Some(_) => match self.0.get(&target.name) {
                    Some(seen) => seen.whole,
                    None => continue,
                },
            };
            self.0.insert(Arc::clone(&target.name), Seen { emptied: begun, whole });
        }
    }

    /// The next look is at everything.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LeaseToken;

    const LIMIT: u32 = 10;
    const SECOND: Duration = Duration::from_secs(1);

    /// A look at one target, from `begun` and for so long, that found so many.
    fn look(depth: &mut Depth, begun: Instant, took: Duration, got: usize) -> Option<Duration> {
        let within = depth.of("note", begun);
        let targets = vec![TargetRequest { name: "note".into(), limit: LIMIT, within }];
        let request = LeaseRequest { targets, token: LeaseToken::fresh(), lease: SECOND };
        depth.learn(&request, begun, begun + took, |_| got);
        within
    }

    #[test]
    fn looks_that_cost_little_are_at_everything() {
        let (mut depth, now) = (Depth::default(), Instant::now());
        for n in 0..10 {
            assert_eq!(look(&mut depth, now + SECOND * n, CHEAP / 2, 0), None);
        }
    }

    #[test]
    fn slow_looks_go_back_to_the_last_one_and_a_share_of_the_time_is_left_for_looks_at_everything() {
        let (mut depth, now) = (Depth::default(), Instant::now());
        assert_eq!(look(&mut depth, now, SECOND, 0), None);
        assert_eq!(look(&mut depth, now + 2 * SECOND, CHEAP, 3), Some(2 * SECOND + MARGIN));
        assert_eq!(look(&mut depth, now + 3 * SECOND, CHEAP, 0), Some(SECOND + MARGIN));
        assert_eq!(look(&mut depth, now + 20 * SECOND, CHEAP, 0), Some(17 * SECOND + MARGIN));
        // It ended after a second, and twenty times as long is over.
        assert_eq!(look(&mut depth, now + 21 * SECOND, SECOND, 0), None);
        assert_eq!(look(&mut depth, now + 23 * SECOND, CHEAP, 0), Some(2 * SECOND + MARGIN));
    }

    #[test]
    fn what_a_look_left_is_looked_at_again() {
        let (mut depth, now) = (Depth::default(), Instant::now());
        let all = LIMIT as usize;
        assert_eq!(look(&mut depth, now, SECOND, all), None);
        assert_eq!(look(&mut depth, now + SECOND, SECOND, all), None, "nothing was ever emptied");
        assert_eq!(look(&mut depth, now + 2 * SECOND, SECOND, 0), None);
        assert_eq!(look(&mut depth, now + 4 * SECOND, SECOND, all), Some(2 * SECOND + MARGIN));
        assert_eq!(look(&mut depth, now + 6 * SECOND, SECOND, 0), Some(4 * SECOND + MARGIN));
        assert_eq!(look(&mut depth, now + 8 * SECOND, SECOND, 0), Some(2 * SECOND + MARGIN));
    }

    #[test]
    fn who_asks_for_it_gets_a_look_at_everything() {
        let (mut depth, now) = (Depth::default(), Instant::now());
        look(&mut depth, now, SECOND, 0);
        depth.forget();
        assert_eq!(look(&mut depth, now + SECOND, SECOND, 0), None);
    }
}
