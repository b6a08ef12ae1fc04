//! Why a message is given up.

/// How much of a reason is kept with a dead letter, in bytes.
const REASON: usize = 512;

/// The reason, and how many times the message was delivered.
#[derive(Debug)]
pub(crate) struct Poison {
    pub(crate) reason: String,
    pub(crate) deliveries: u32,
}

impl Poison {
    pub(crate) fn new(reason: impl Into<String>, deliveries: u32) -> Self {
        Self { reason: reason.into(), deliveries }
    }

    /// The reason as the value of a header: one line, and no longer than need be.
    pub(crate) fn line(&self) -> String {
        one_line(&self.reason)
    }
}

/// One line of text, no longer than a reason.
pub(crate) fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    line[..line.floor_char_boundary(REASON)].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_becomes_one_short_line() {
        assert_eq!(Poison::new(" no\r\ndesk ", 1).line(), "no  desk");
        assert_eq!(Poison::new("ü".repeat(1_000), 1).line(), "ü".repeat(REASON / 2));
    }
}
