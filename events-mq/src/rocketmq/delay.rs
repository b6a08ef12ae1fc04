//! Delays that RocketMQ knows: it has a list of them, and takes a place in that list.

use std::time::Duration;

/// As all its brokers have them, if nobody changed their `messageDelayLevel`.
const LEVELS: [u64; 18] = [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200];

/// The place of the first delay that is not shorter; of the longest, if none is.
pub(super) fn level(delay: Duration) -> usize {
    LEVELS.iter().position(|seconds| Duration::from_secs(*seconds) >= delay).map_or(LEVELS.len(), |place| place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_delay_is_made_shorter_but_for_those_beyond_the_longest() {
        let levels = [0, 999, 1_000, 1_001, 5_001, 600_000, 600_001, 7_200_000, 99_999_999].map(|ms| level(Duration::from_millis(ms)));
        assert_eq!(levels, [1, 1, 1, 2, 3, 14, 15, 18, 18]);
    }
}
