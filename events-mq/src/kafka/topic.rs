//! Names of Kafka topics. In a pattern `*` stands for one word between dots, a final `>` for all that follow.

/// The word below the prefix under which dead letters are.
const DEAD: &str = "dead";
/// How long the name of a topic may be.
const LONGEST: usize = 249;

/// The topics of one prefix.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    /// With its dot; empty if there is none.
    prefix: String,
}

impl Topics {
    pub(super) fn below(prefix: &str) -> Self {
        Self { prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}.") } }
    }

    /// Where events of `topic` are stored.
    pub(super) fn of_topic(&self, topic: &str) -> Result<String, String> {
        let name = format!("{}{topic}", self.prefix);
        if topic.is_empty() || !is_name(&name) {
            return Err(format!(
                "topic `{topic}` cannot be the Kafka topic `{name}`: that is letters and digits of ASCII, `.`, `_` and `-`, of at most {LONGEST} \
                 bytes; rename it"
            ));
        }
        if topic.split('.').next() == Some(DEAD) {
            return Err(format!("topic `{topic}` begins with `{DEAD}`, where the dead letters of Kafka groups are; rename it"));
        }
        Ok(name)
    }

    /// Where the dead letters of `group` are stored.
    pub(super) fn dead_letters_of(&self, group: &str) -> String {
        format!("{}{DEAD}.{group}", self.prefix)
    }

    /// What a group of `pattern` subscribes to: a name, or a regular expression.
    pub(super) fn of_pattern(&self, pattern: &str) -> String {
        if !pattern.split('.').any(|word| word == "*" || word == ">") {
            return format!("{}{pattern}", self.prefix);
        }
        let words = pattern.split('.').map(|word| match word {
            "*" => "[^.]+".to_owned(),
            ">" => ".+".to_owned(),
            word => literally(word),
        });
        format!("^{}{}$", literally(&self.prefix), words.collect::<Vec<_>>().join("[.]"))
    }

    /// What a group of `pattern` must not see, as regular expressions: what Kafka keeps for itself, and dead letters unless it asks for
    /// them.
    pub(super) fn hidden_from(&self, pattern: &str) -> String {
        let own = "^__";
        if pattern.split('.').next() == Some(DEAD) { own.to_owned() } else { format!("{own},^{}{DEAD}[.]", literally(&self.prefix)) }
    }

    /// Whether a group of `pattern` gets what is stored in the topic `name`.
    pub(super) fn is_of_pattern(&self, pattern: &str, name: &str) -> bool {
        let Some(topic) = name.strip_prefix(&self.prefix) else { return false };
        let (mut wanted, mut words) = (pattern.split('.'), topic.split('.'));
        let asks_for_dead = pattern.split('.').next() == Some(DEAD);
        if name.starts_with("__") || (!asks_for_dead && topic.split('.').next() == Some(DEAD)) {
            return false;
        }
        loop {
            match (wanted.next(), words.next()) {
                (None, None) | (Some(">"), Some(_)) => return true,
                (Some(wanted), Some(word)) if wanted == "*" || wanted == word => {}
                _ => return false,
            }
        }
    }
}

/// `text` as a part of a regular expression.
fn literally(text: &str) -> String {
    text.replace('.', "[.]")
}

/// Whether Kafka takes `text` as the name of a topic.
pub(super) fn is_name(text: &str) -> bool {
    let fits = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '_' | '-');
    !text.is_empty() && text.len() <= LONGEST && text.chars().all(fits) && text != "." && text != ".."
}

/// Whether `text` is a name in which words may be wildcards.
pub(super) fn is_pattern(text: &str) -> bool {
    let words = text.split('.').count();
    text.split('.').enumerate().all(|(n, word)| word == "*" || (word == ">" && n + 1 == words) || is_name(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_what_kafka_takes_and_does_not_begin_with_dead() {
        let topics = Topics::below("shop.events");
        assert_eq!(topics.of_topic("order.payok").unwrap(), "shop.events.order.payok");
        assert_eq!(Topics::below("").of_topic("order.payok").unwrap(), "order.payok");
        for topic in ["", "a b", "Bestellung.bezahlt.ß", "a/b", &"x".repeat(250)] {
            assert!(topics.of_topic(topic).unwrap_err().contains("rename it"), "{topic}");
        }
        assert!(topics.of_topic("dead.x").unwrap_err().contains("dead letters"));
        assert!(topics.of_topic("deadly.x").is_ok());
    }

    #[test]
    fn a_pattern_becomes_a_name_or_a_regular_expression() {
        let topics = Topics::below("events");
        assert_eq!(topics.of_pattern("order.payok"), "events.order.payok");
        assert_eq!(topics.of_pattern("order.*"), "^events[.]order[.][^.]+$");
        assert_eq!(topics.of_pattern(">"), "^events[.].+$");
        assert_eq!(topics.hidden_from(">"), "^__,^events[.]dead[.]");
        assert_eq!(topics.hidden_from("dead.*"), "^__");
        assert!(is_pattern("order.*") && is_pattern(">") && !is_pattern(">.a") && !is_pattern("a..b") && !is_pattern("a b"));
    }

    #[test]
    fn a_pattern_matches_word_by_word_and_no_dead_letters_unless_it_asks() {
        let topics = Topics::below("events");
        let matches = |pattern, name| topics.is_of_pattern(pattern, name);
        assert!(matches(">", "events.a.b") && matches("a.*", "events.a.b") && matches("a.>", "events.a.b.c") && matches("a", "events.a"));
        assert!(!matches("a.*", "events.a") && !matches("a.*", "events.a.b.c") && !matches(">", "other.a") && !matches("a", "events.ab"));
        assert!(!matches(">", "events.dead.x") && matches("dead.x", "events.dead.x"));
        assert!(!Topics::below("").is_of_pattern(">", "__consumer_offsets"));
    }
}
