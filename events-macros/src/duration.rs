//! Durations as people write them: `500ms`, `30s`, `10m`, `6h`, `7d`.

use proc_macro2::TokenStream;
use quote::quote;
use std::time::Duration;

const RULE: &str = "a duration is a whole number with a unit, `ms`, `s`, `m`, `h` or `d`, such as `30s`";
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Longer ones would overflow the timestamps of some database; nobody waits that long on purpose.
const MAX_DAYS: u64 = 36_500;

/// Reads one duration, or says what is wrong with it and what to write instead.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("the duration is empty; {RULE}"));
    }
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = unit.trim_start();
    if number.is_empty() {
        return Err(format!("`{text}` does not start with a number; {RULE}"));
    }
    if unit.is_empty() {
        return Err(format!("`{text}` has no unit; {RULE}"));
    }
    if unit.starts_with('.') {
        return Err(format!("`{text}` is not a whole number; take a smaller unit: {RULE}"));
    }
    let Some((_, factor)) = UNITS.into_iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{text}` has the unknown unit `{unit}`; {RULE}"));
    };
    let millis = number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
    match millis {
        Some(millis) if millis <= MAX_DAYS * 86_400_000 => Ok(Duration::from_millis(millis)),
        _ => Err(format!("`{text}` is too long; at most a hundred years (`{MAX_DAYS}d`) are allowed")),
    }
}

/// A duration as tokens that are constant.
pub(crate) fn expand(duration: Duration) -> TokenStream {
    // The longest duration that can be written has far fewer than 2^64 milliseconds.
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(::core::time::Duration::from_millis(#millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, seconds) in [("1000ms", 1), ("30s", 30), ("10m", 600), ("6h", 21_600), ("7d", 604_800)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn blanks_do_not_matter() {
        assert_eq!(parse(" 5 s "), Ok(Duration::from_secs(5)));
    }

    #[test]
    fn zero_is_a_duration() {
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn the_longest_duration_is_a_century() {
        assert!(parse("36500d").is_ok());
    }

    #[test]
    fn the_reason_and_the_units_are_told() {
        for (text, says) in [
            ("", "is empty"),
            ("30", "has no unit"),
            ("soon", "does not start with a number"),
            ("-5s", "does not start with a number"),
            ("1.5s", "not a whole number"),
            ("5sec", "unknown unit `sec`"),
            ("5S", "unknown unit `S`"),
            ("1h30m", "unknown unit `h30m`"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(says) && message.contains("`ms`, `s`, `m`, `h` or `d`"), "{message}");
        }
    }

    #[test]
    fn overflow_is_an_error() {
        for text in ["36501d", "18446744073709551615ms", "18446744073709551615d", "99999999999999999999s"] {
            assert!(parse(text).expect_err(text).contains("too long"), "{text}");
        }
    }
}
