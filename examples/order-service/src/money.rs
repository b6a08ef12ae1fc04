//! Amounts. They are whole cents everywhere; this is how people read them.

use std::fmt;

/// An amount in cents.
pub(crate) struct Money(pub(crate) i64);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::Money;

    #[test]
    fn money_has_two_decimals() {
        assert_eq!(Money(44_000).to_string(), "440.00");
        assert_eq!(Money(-5).to_string(), "-0.05");
    }
}
