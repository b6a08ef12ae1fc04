//! How long the scanner pauses between two looks. Pure: it knows no clock, only what the last look found.

use rand::Rng;
use std::time::Duration;

/// The shortest pause is this share of the longest one, and not below this time.
const SHARE: u32 = 16;
const SHORTEST: Duration = Duration::from_millis(5);

/// Looks more often while there is something to find, and ever less often while there is not.
#[derive(Debug)]
pub(crate) struct Pace {
    shortest: Duration,
    longest: Duration,
    pause: Duration,
}

impl Pace {
    /// A pace that never pauses for longer than `longest`: what nobody wakes the scanner for is found that soon.
    pub(crate) fn new(longest: Duration) -> Self {
        Self { shortest: (longest / SHARE).max(SHORTEST).min(longest), longest, pause: longest }
    }

    /// The pause after a look that found something, or did not.
    pub(crate) fn after(&mut self, found: bool) -> Duration {
        self.pause = if found { (self.pause / 2).max(self.shortest) } else { (self.pause * 2).min(self.longest) };
        up_to(self.pause)
    }

    /// The pause of somebody who stands by.
    pub(crate) fn standing_by(&self) -> Duration {
        up_to(self.longest)
    }
}

/// At most `upper`, and not much less: processes that started together drift apart.
fn up_to(upper: Duration) -> Duration {
    upper.mul_f64(rand::rng().random_range(0.75..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_millis(800);

    fn pauses(pace: &mut Pace, found: bool) -> Vec<u128> {
        (0..8)
            .map(|_| {
                pace.after(found);
                pace.pause.as_millis()
            })
            .collect()
    }

    #[test]
    fn the_pause_halves_while_looks_find_something_and_doubles_while_they_do_not() {
        let mut pace = Pace::new(POLL);
        assert_eq!(pauses(&mut pace, true), [400, 200, 100, 50, 50, 50, 50, 50]);
        assert_eq!(pauses(&mut pace, false), [100, 200, 400, 800, 800, 800, 800, 800]);
    }

    #[test]
    fn jitter_spreads_the_pauses_and_never_makes_one_longer_than_the_poll_interval() {
        let mut pace = Pace::new(POLL);
        let drawn: Vec<Duration> = (0..500).map(|_| pace.after(false)).collect();
        assert!(drawn.iter().all(|pause| *pause <= POLL && *pause >= POLL * 3 / 4));
        assert!(drawn.iter().any(|pause| *pause < POLL * 9 / 10) && drawn.iter().any(|pause| *pause > POLL * 9 / 10));
        assert!(pace.standing_by() <= POLL);
    }

    #[test]
    fn the_shortest_pause_is_5_ms_unless_the_poll_interval_itself_is_shorter() {
        assert_eq!(pauses(&mut Pace::new(Duration::from_millis(20)), true), [10, 5, 5, 5, 5, 5, 5, 5]);
        assert_eq!(pauses(&mut Pace::new(Duration::from_millis(2)), true), [2; 8]);
    }
}
