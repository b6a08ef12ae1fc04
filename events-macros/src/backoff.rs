//! How long to wait between attempts: `"1s..10m"` doubles, `"30s"` stays, `"1s, 5s, 30s"` is a schedule.

use crate::duration;
use std::time::Duration;

/// The waits that `backoff = ".."` describes.
#[derive(Debug, PartialEq)]
pub(crate) enum Backoff {
    Exponential { first: Duration, max: Duration },
    Fixed(Duration),
    Schedule(Vec<Duration>),
}

/// Reads a backoff, or says everything that is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Backoff, Vec<String>> {
    if let Some((first, max)) = text.split_once("..") {
        return match (duration::parse(first), duration::parse(max)) {
            (Ok(first), Ok(max)) => exponential(first, max).map_err(|error| vec![error]),
            (first, max) => Err([first.err(), max.err()].into_iter().flatten().collect()),
        };
    }
    if text.contains(',') {
        return schedule(text);
    }
    duration::parse(text).map(Backoff::Fixed).map_err(|error| vec![error])
}

fn exponential(first: Duration, max: Duration) -> Result<Backoff, String> {
    if first.is_zero() {
        return Err("a wait of zero never doubles; start with at least `1ms`".to_owned());
    }
    if first > max {
        return Err("the first wait is longer than the longest; write the shorter one first, such as `1s..10m`".to_owned());
    }
    Ok(Backoff::Exponential { first, max })
}

fn schedule(text: &str) -> Result<Backoff, Vec<String>> {
    let (mut waits, mut errors) = (Vec::new(), Vec::new());
    for wait in text.split(',') {
        match duration::parse(wait) {
            Ok(wait) => waits.push(wait),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(Backoff::Schedule(waits)) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_range_doubles() {
        let expected = Backoff::Exponential { first: secs(1), max: secs(600) };
        assert_eq!(parse("1s..10m"), Ok(expected));
        assert_eq!(parse("5s .. 5s"), Ok(Backoff::Exponential { first: secs(5), max: secs(5) }));
    }

    #[test]
    fn one_duration_stays() {
        assert_eq!(parse("30s"), Ok(Backoff::Fixed(secs(30))));
    }

    #[test]
    fn a_list_is_a_schedule() {
        assert_eq!(parse("1s, 5s, 30s"), Ok(Backoff::Schedule(vec![secs(1), secs(5), secs(30)])));
    }

    #[test]
    fn the_shorter_wait_comes_first() {
        assert!(parse("10m..1s").expect_err("descending")[0].contains("shorter one first"));
    }

    #[test]
    fn zero_cannot_double() {
        assert!(parse("0s..1s").expect_err("zero")[0].contains("never doubles"));
    }

    #[test]
    fn every_bad_duration_is_told() {
        assert_eq!(parse("1..10").expect_err("no units").len(), 2);
        assert_eq!(parse("1s, 5, soon").expect_err("two bad").len(), 2);
        assert_eq!(parse("1s,").expect_err("an empty one").len(), 1);
    }
}
