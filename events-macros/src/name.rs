//! What may be the name of a handler or of a transport.

const MAX: usize = 100;
const RULE: &str = "a name is ASCII letters, digits, `_`, `.` and `-`";

/// Says what is wrong with a handler's name, and what to write instead.
pub(crate) fn check_handler(name: &str) -> Result<(), String> {
    if name.contains(':') {
        return Err(format!("a name cannot contain `:`, which is reserved for transports; {RULE}"));
    }
    check(name)
}

/// Says what is wrong with a name, and what to write instead.
pub(crate) fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("the name is empty; {RULE}"));
    }
    if let Some(bad) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-')) {
        return Err(format!("a name cannot contain `{}`; {RULE}", bad.escape_debug()));
    }
    if name.len() > MAX {
        return Err(format!("the name is {} characters long; at most {MAX} are allowed", name.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_names_and_dotted_names_are_names() {
        for name in ["issue_ticket", "ticketing.issue-ticket", "Ticket2", &"x".repeat(100)] {
            assert_eq!(check_handler(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_reason_is_told() {
        for (name, says) in [
            ("", "is empty"),
            ("nats:orders", "reserved for transports"),
            ("issue ticket", "cannot contain ` `"),
            ("größe", "cannot contain `ö`"),
            (&"x".repeat(101), "101 characters"),
        ] {
            let message = check_handler(name).expect_err(name);
            assert!(message.contains(says), "{message:?} does not say {says:?}");
        }
    }
}
