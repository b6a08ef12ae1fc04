//! Where the processes of one outbox hear of each other: a name that all of them derive from the schema alike.

use crate::statements::Schema;
use events_core::LeaseToken;
use std::sync::Arc;

/// The longest name of a channel, as of every identifier of PostgreSQL, in bytes.
const MAX_NAME: usize = 63;

/// The channel of an outbox, and the name under which this process speaks in it.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "only PostgreSQL has channels"))]
pub struct Channel {
    /// The same in all processes of the outbox.
    pub(crate) name: Arc<str>,
    /// What this process says, so that it does not listen to itself.
    pub(crate) speaker: Arc<str>,
}

impl Channel {
    pub(crate) fn of(schema: &Schema) -> Self {
        let name = schema.name().map_or_else(|| "outbox".into(), |schema| fitted(format!("outbox_{schema}")));
        Self { name: name.into(), speaker: LeaseToken::fresh().0.simple().to_string().into() }
    }
}

/// `name` if it is short enough, else its beginning and a hash of the whole. All releases must agree on it, so the hash is spelt out.
fn fitted(name: String) -> String {
    if name.len() <= MAX_NAME {
        return name;
    }
    // FNV-1a.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The names of schemas are ASCII.
    format!("{}_{hash:016x}", &name[..MAX_NAME - 17])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(schema: &str) -> String {
        Channel::of(&Schema::named(schema).unwrap()).name.to_string()
    }

    #[test]
    fn a_channel_is_named_after_its_schema_and_fits() {
        assert_eq!(&*Channel::of(&Schema::default()).name, "outbox");
        assert_eq!(channel("qmq_produce"), "outbox_qmq_produce");
        let (one, other) = (channel(&format!("{}1", "x".repeat(62))), channel(&format!("{}2", "x".repeat(62))));
        assert_eq!((one.len(), other.len()), (MAX_NAME, MAX_NAME));
        assert_ne!(one, other);
        assert_eq!(channel(&"x".repeat(63)), "outbox_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_f68de040ebc3b527");
    }

    #[test]
    fn each_outbox_speaks_under_a_name_of_its_own() {
        let schema = Schema::default();
        assert_ne!(Channel::of(&schema).speaker, Channel::of(&schema).speaker);
    }
}
