//! What RocketMQ lets names be.

/// For errors.
pub(super) const RULE: &str = "it must be 1 to 120 letters, digits, `_`, `-`, `%` and `|`";
/// The servers take 127 for topics, and a group's name gets a prefix to become one.
const LONGEST: usize = 120;

/// Topics of RocketMQ, and groups.
pub(super) fn is_name(text: &str) -> bool {
    let signs = |byte: u8| byte.is_ascii_alphanumeric() || b"_-%|".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(signs)
}

/// Whether a topic of events can be a tag. A filter is a list of tags, separated by `||`.
pub(super) fn is_tag(text: &str) -> bool {
    !text.is_empty() && text != "*" && text.trim() == text && !text.contains(|sign: char| sign == '|' || sign.is_control())
}

/// Where messages of a group wait to be delivered again.
pub(super) fn retries_of(group: &str) -> String {
    format!("%RETRY%{group}")
}

/// Where messages are that a group has given up.
pub(super) fn dead_letters_of(group: &str) -> String {
    format!("%DLQ%{group}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags_are_what_the_servers_and_their_filters_can_tell_apart() {
        assert!(is_name("EVENTS-1_a%|") && is_name(&"x".repeat(120)));
        assert!(!is_name("") && !is_name("order.payok") && !is_name("é") && !is_name(&"x".repeat(121)));
        assert!(is_tag("order.payok") && is_tag("Größe 7"));
        assert!(!is_tag("") && !is_tag("*") && !is_tag("a||b") && !is_tag(" a") && !is_tag("a\u{1}"));
    }
}
