//! Subjects: words between dots. `*` stands for one word, a final `>` for all that follow.

/// The word below the prefix under which dead letters are.
const DEAD: &str = "dead";

/// The subjects of one stream, all below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Subjects {
    prefix: String,
}

impl Subjects {
    pub(super) fn below(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// All of them.
    pub(super) fn all(&self) -> String {
        format!("{}.>", self.prefix)
    }

    /// Where events of `topic` are stored.
    pub(super) fn of_topic(&self, topic: &str) -> Result<String, String> {
        if !is_subject(topic) {
            return Err(format!(
                "topic `{topic}` cannot be a subject of NATS: a topic is words between single dots, without blanks, `*` and `>`; rename it"
            ));
        }
        if topic.split('.').next() == Some(DEAD) {
            return Err(format!("topic `{topic}` begins with `{DEAD}`, where the dead letters of NATS consumers are; rename it"));
        }
        Ok(format!("{}.{topic}", self.prefix))
    }

    /// What a consumer of `pattern` gets.
    pub(super) fn of_pattern(&self, pattern: &str) -> String {
        format!("{}.{pattern}", self.prefix)
    }

    /// Where the dead letters of `consumer` are stored.
    pub(super) fn dead_letters_of(&self, consumer: &str) -> String {
        format!("{}.{DEAD}.{consumer}", self.prefix)
    }

    /// Whether dead letters are stored under `subject`.
    pub(super) fn is_dead(&self, subject: &str) -> bool {
        subject.strip_prefix(&self.prefix).is_some_and(|rest| rest.split('.').nth(1) == Some(DEAD))
    }
}

/// Whether a subscription to `pattern` is one to dead letters.
pub(super) fn asks_for_dead_letters(pattern: &str) -> bool {
    pattern.split('.').next() == Some(DEAD)
}

/// Whether `text` is words between single dots, and none of them a wildcard.
pub(super) fn is_subject(text: &str) -> bool {
    text.split('.').all(|word| is_word(word) && word != "*" && word != ">")
}

/// Whether `text` is a subject in which words may be wildcards.
pub(super) fn is_pattern(text: &str) -> bool {
    let words = text.split('.').count();
    text.split('.').enumerate().all(|(n, word)| is_word(word) && (word != ">" || n + 1 == words))
}

/// Whether `text` can be the name of a stream or a consumer.
pub(super) fn is_name(text: &str) -> bool {
    is_word(text) && !text.contains(['.', '*', '>', '/', '\\'])
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && !word.contains(|sign: char| sign.is_whitespace() || sign.is_control())
}

/// Whether some subject could match both patterns.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

/// Whether everything that matches `inner` matches `outer`.
pub(super) fn covers(outer: &str, inner: &str) -> bool {
    let (mut outer, mut inner) = (outer.split('.'), inner.split('.'));
    loop {
        match (outer.next(), inner.next()) {
            (None, None) | (Some(">"), Some(_)) => return true,
            (Some("*"), Some(word)) if word != ">" => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_words_between_dots_and_does_not_begin_with_dead() {
        let subjects = Subjects::below("shop.events");
        assert_eq!(subjects.of_topic("order.payok").unwrap(), "shop.events.order.payok");
        for topic in ["", "a..b", ".a", "a b", "a.*", ">", "a\r\nPUB x"] {
            assert!(subjects.of_topic(topic).unwrap_err().contains("rename it"), "{topic}");
        }
        assert!(subjects.of_topic("dead.x").unwrap_err().contains("dead letters"));
        assert!(subjects.of_topic("deadly.x").is_ok());
        assert!(subjects.is_dead(&subjects.dead_letters_of("billing")));
        assert!(!subjects.is_dead("shop.events.order.dead"));
    }

    #[test]
    fn patterns_overlap_if_some_subject_matches_both() {
        assert!(overlap("a.>", "a.b.c") && overlap("*.b", "a.*") && overlap("a.b", "a.b"));
        assert!(!overlap("a.>", "b.>") && !overlap("a.b", "a.b.c") && !overlap("a.>", "a"));
    }

    #[test]
    fn a_pattern_covers_what_it_matches_as_a_whole() {
        assert!(covers("a.>", "a.>") && covers(">", "a.>") && covers("a.*", "a.b") && covers("a.>", "a.b.>"));
        assert!(!covers("a.*", "a.>") && !covers("a.b", "a.>") && !covers("a.b.>", "a.>"));
    }

    #[test]
    fn names_and_patterns_hold_nothing_that_means_something_else() {
        assert!(is_name("EVENTS") && is_name("billing-2") && !is_name("a.b") && !is_name("") && !is_name("a b") && !is_name("a/b"));
        assert!(is_pattern("order.*") && is_pattern(">") && !is_pattern(">.a") && !is_pattern("a..b"));
    }
}
