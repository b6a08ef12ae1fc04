//! How shares and durations are written on the command lines of the examples.

use std::time::Duration;

/// A number between 0 and 1.
///
/// # Errors
/// It is something else; the text says what is wanted.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number between 0 and 1, such as 0.1".into()),
    }
}

/// A whole number with its unit.
///
/// # Errors
/// It is something else; the text says what is wanted.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let amount = digits.parse().ok();
    match (amount, &text[digits.len()..]) {
        (Some(amount), "ms") => Ok(Duration::from_millis(amount)),
        (Some(amount), "s") => Ok(Duration::from_secs(amount)),
        (Some(amount), "m") => Ok(Duration::from_secs(u64::saturating_mul(amount, 60))),
        _ => Err("a duration is a whole number with its unit, such as `500ms`, `30s` or `5m`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_shares_are_checked() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("2").is_err() && duration("s").is_err() && duration("2 hours").is_err());
        assert!(share("0.5").is_ok() && share("1.5").is_err() && share("NaN").is_err());
    }
}
