//! Which queue an event goes to.

/// The queue of a key: as the clients of RocketMQ choose by default when they send by a hash (Java's `String.hashCode`), so that other
/// services can send to the same lines.
pub(super) fn of_key(key: &str, queues: usize) -> usize {
    let hash = key.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    let queues = i64::try_from(queues).unwrap_or(i64::MAX).max(1);
    usize::try_from((i64::from(hash) % queues).abs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_in_java() {
        // "hello".hashCode() == 99162322
        assert_eq!(of_key("hello", 1_000), 322);
        assert_eq!(of_key("", 4), 0);
        // "polygenelubricants".hashCode() == i32::MIN.
        assert_eq!(of_key("polygenelubricants", 1_000), 648);
        assert!((0..10_000).all(|n| of_key(&n.to_string(), 7) < 7));
    }
}
