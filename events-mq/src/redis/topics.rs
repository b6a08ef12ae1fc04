//! Which topics a subscription gets: words between dots, `*` for one of them, a final `>` for all that follow.

/// A pattern of topics.
#[derive(Clone, Debug)]
pub(super) struct Pattern(String);

impl Pattern {
    /// Of all topics.
    pub(super) fn all() -> Self {
        Self(">".to_owned())
    }

    /// `None` if `text` is no pattern.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let words = text.split('.').count();
        let fits = text.split('.').enumerate().all(|(n, word)| is_word(word) && (word != ">" || n + 1 == words));
        fits.then(|| Self(text.to_owned()))
    }

    /// Whether events of `topic` are among them.
    pub(super) fn matches(&self, topic: &str) -> bool {
        let (mut pattern, mut topic) = (self.0.split('.'), topic.split('.'));
        loop {
            match (pattern.next(), topic.next()) {
                (None, None) | (Some(">"), Some(_)) => return true,
                (Some(word), Some(other)) if word == "*" || word == other => {}
                _ => return false,
            }
        }
    }
}

/// Whether `text` can be a part of a key's name: nothing that a person would not see.
pub(super) fn is_name(text: &str) -> bool {
    is_word(text)
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && !word.contains(|sign: char| sign.is_whitespace() || sign.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, topic: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(topic)
    }

    #[test]
    fn a_star_is_one_word_and_a_final_arrow_is_all_that_follow() {
        assert!(matches(">", "order") && matches(">", "order.payok.eu") && matches("order.*", "order.payok") && matches("a.*.c", "a.b.c"));
        assert!(matches("order.>", "order.payok.eu") && matches("order.payok", "order.payok"));
        assert!(!matches("order.*", "order") && !matches("order.>", "order") && !matches("order.*", "order.payok.eu"));
        assert!(!matches("order", "order.payok") && !matches("order.*", "orders.payok") && !matches("Order", "order"));
    }

    #[test]
    fn a_pattern_is_words_between_single_dots() {
        for text in ["", "a..b", ".a", "a.", ">.a", "a b", "a.\n"] {
            assert!(Pattern::parse(text).is_none(), "{text}");
        }
        assert!(is_name("billing-2") && !is_name("") && !is_name("a b") && !is_name("a\0"));
    }
}
