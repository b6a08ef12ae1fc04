//! What may be the topic of an event.

const MAX: usize = 255;
const RULE: &str = "a topic is lowercase ASCII letters and digits, joined by `.`, `-` or `_`, such as `order.paid`";

/// Says what is wrong with a topic, and what to write instead.
pub(crate) fn check(topic: &str) -> Result<(), String> {
    if topic.is_empty() {
        return Err(format!("the topic is empty; {RULE}"));
    }
    let length = topic.chars().count();
    if length > MAX {
        return Err(format!("the topic is {length} characters long; at most {MAX} are allowed"));
    }
    if let Some(bad) = topic.chars().find(|c| !is_word(*c) && !is_joint(*c)) {
        let lower = topic.to_ascii_lowercase();
        return Err(if bad.is_ascii_uppercase() && check(&lower).is_ok() {
            format!("a topic is lowercase; write `{lower}`")
        } else {
            format!("a topic cannot contain `{}`; {RULE}", bad.escape_debug())
        });
    }
    if topic.starts_with(is_joint) {
        let trimmed = joined(topic);
        return Err(if trimmed.is_empty() {
            format!("the topic has no letter or digit; {RULE}")
        } else {
            format!("a topic starts with a letter or a digit; write `{trimmed}`")
        });
    }
    if topic.split(is_joint).any(str::is_empty) {
        return Err(format!("the topic has an empty segment; write `{}`", joined(topic)));
    }
    Ok(())
}

/// The topic that a type's name suggests: `OrderPaid` is about `order.paid`.
pub(crate) fn suggested_by(type_name: &str) -> String {
    let mut topic = String::new();
    let mut after_lower = false;
    for c in type_name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
        if (c.is_ascii_uppercase() && after_lower) || c == '_' {
            topic.push('.');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        topic.extend(Some(c.to_ascii_lowercase()).filter(|c| *c != '_'));
    }
    let topic = joined(&topic);
    if topic.is_empty() { "order.paid".to_owned() } else { topic }
}

fn is_word(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_joint(c: char) -> bool {
    matches!(c, '.' | '-' | '_')
}

/// The topic without its empty segments; of several joints in a row the first stays.
fn joined(topic: &str) -> String {
    let mut kept = String::new();
    for c in topic.chars() {
        if is_word(c) || kept.ends_with(is_word) {
            kept.push(c);
        }
    }
    kept.truncate(kept.trim_end_matches(is_joint).len());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(topic: &str, says: &str) {
        let message = check(topic).expect_err("the topic must be refused");
        assert!(message.contains(says), "{message:?} does not say {says:?}");
    }

    #[test]
    fn words_joined_by_dots_dashes_and_underscores_are_topics() {
        for topic in ["order.payok", "a", "1", "order-item_v2.paid", &"x".repeat(255)] {
            assert_eq!(check(topic), Ok(()), "{topic}");
        }
    }

    #[test]
    fn an_empty_topic_is_refused() {
        refused("", "is empty");
    }

    #[test]
    fn the_bad_character_is_named() {
        refused("order paid", "cannot contain ` `");
        refused("order/paid", "cannot contain `/`");
        refused("bestellung.gepr\u{fc}ft", "cannot contain `ü`");
        refused("order\n", "cannot contain `\\n`");
    }

    #[test]
    fn capitals_are_written_small() {
        refused("Order.Paid", "write `order.paid`");
        refused("Order Paid", "cannot contain `O`");
    }

    #[test]
    fn the_length_is_counted() {
        refused(&"x".repeat(300), "300 characters");
    }

    #[test]
    fn empty_segments_are_closed() {
        refused("order..paid", "write `order.paid`");
        refused("order.", "write `order`");
        refused("order.-paid", "write `order.paid`");
        refused(".order", "starts with a letter or a digit; write `order`");
        refused("...", "no letter or digit");
    }

    #[test]
    fn a_type_name_suggests_a_topic() {
        assert_eq!(suggested_by("OrderPaid"), "order.paid");
        assert_eq!(suggested_by("HTTPCalled"), "httpcalled");
        assert_eq!(suggested_by("Order_Paid2Late"), "order.paid2.late");
        assert_eq!(suggested_by("Größe"), "gre");
        assert_eq!(suggested_by("是"), "order.paid");
    }
}
