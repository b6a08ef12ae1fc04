//! What exchanges and queues are called, and which topics a queue takes.

use std::time::Duration;

/// The longest name or routing key, in bytes.
const LONGEST: usize = 255;
/// The shortest wait that has a queue of its own.
const SHORTEST_STEP: u64 = 64;
/// A queue expires nothing later than that.
const LONGEST_STEP: u64 = 1 << 31;

/// The names at one exchange.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) exchange: String,
}

impl Names {
    /// The queue of a consumer.
    pub(super) fn queue(&self, consumer: &str) -> String {
        format!("{}.{consumer}", self.exchange)
    }

    /// Where the dead letters of a consumer are.
    pub(super) fn dead(&self, consumer: &str) -> String {
        format!("{}.dead.{consumer}", self.exchange)
    }

    /// Where events of a consumer wait for up to so many milliseconds before they come again.
    pub(super) fn retry(&self, consumer: &str, step: u64) -> String {
        format!("{}.retry.{consumer}.{step}ms", self.exchange)
    }
}

/// In which queue a delay is waited for: of at most so many milliseconds.
///
/// Only what is first in a queue expires, so what waits in one queue must wait for about the same time.
pub(super) fn step(delay: Duration) -> u64 {
    millis(delay).max(SHORTEST_STEP).next_power_of_two()
}

/// A delay as the server takes it: at least 1 ms, and never earlier than asked.
pub(super) fn millis(delay: Duration) -> u64 {
    let whole = u64::try_from(delay.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
    whole.clamp(1, LONGEST_STEP)
}

/// The routing key of events of `topic`.
pub(super) fn routing_key(topic: &str) -> Result<&str, String> {
    if topic.len() > LONGEST {
        return Err(format!(
            "topic `{topic}` has more than {LONGEST} bytes, which is more than a routing key of RabbitMQ may have; shorten it"
        ));
    }
    Ok(topic)
}

/// Whether `name` may be that of an exchange, so that the names of its queues fit too.
pub(super) fn is_exchange(name: &str) -> bool {
    (1..=100).contains(&name.len()) && !name.starts_with("amq.") && !name.contains(|sign: char| sign.is_control())
}

/// Whether `name` may be that of a consumer.
pub(super) fn is_consumer(name: &str) -> bool {
    (1..=100).contains(&name.len()) && !name.contains(|sign: char| sign.is_whitespace() || sign.is_control() || ".*#".contains(sign))
}

/// Whether `pattern` is words between single dots, `*` for one word and `#` for any number of them.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.len() <= LONGEST
        && pattern.split('.').all(|word| !word.is_empty() && (word.len() == 1 || !word.contains(['*', '#', '>'])) && word != ">")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_waits_in_a_queue_of_at_most_twice_its_length() {
        let ms = Duration::from_millis;
        assert_eq!([0, 20, 64, 65, 300, 700, 1_024].map(|delay| step(ms(delay))), [64, 64, 64, 128, 512, 1_024, 1_024]);
        assert_eq!(step(Duration::MAX), LONGEST_STEP);
        assert_eq!([Duration::ZERO, Duration::from_nanos(1), ms(7), ms(7) + Duration::from_micros(1)].map(millis), [1, 1, 7, 8]);
    }

    #[test]
    fn patterns_are_words_with_wildcards_of_their_own() {
        for pattern in ["#", "order.*", "order.#", "order.payok", "*.eu.#"] {
            assert!(is_pattern(pattern), "{pattern}");
        }
        for pattern in ["", "order.", ".order", "order.>", "ord*", "a..b", "##"] {
            assert!(!is_pattern(pattern), "{pattern}");
        }
    }

    #[test]
    fn names_leave_room_for_what_is_made_of_them() {
        let names = Names { exchange: "x".repeat(100) };
        assert!(is_exchange(&names.exchange) && is_consumer(&"y".repeat(100)));
        assert!(names.retry(&"y".repeat(100), LONGEST_STEP).len() <= LONGEST);
        assert!(!is_exchange("amq.topic") && !is_exchange("") && !is_consumer("a.b") && !is_consumer("a b"));
        assert!(routing_key(&"t".repeat(256)).is_err());
    }
}
