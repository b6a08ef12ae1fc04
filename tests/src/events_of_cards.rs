//! Events with a field that nobody must see, and their handlers.

use crate::Role;
use events_core::{DeliveryError, DomainEvent, Metadata, State, after_commit, domain_event};
use serde::{Deserialize, Serialize};

/// What must be found nowhere but where it belongs.
pub const CARD: &str = "4111-2222-3333-4444";

/// A card was charged.
#[domain_event(topic = "test.charged", local)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charged {
    /// Which one.
    pub n: i64,
    /// The card.
    #[event(sensitive)]
    pub card: String,
}

impl Charged {
    /// The event with the card that is looked for.
    #[must_use]
    pub fn of(n: i64) -> Self {
        Self { n, card: CARD.to_owned() }
    }
}

/// Hears of [`Charged`].
#[after_commit(manual)]
pub async fn charge(event: Charged, meta: Metadata, State(role): State<Role<Charged>>) -> Result<(), DeliveryError> {
    role.play(event, meta.attempt).await
}

/// [`Blocked`] as an older release wrote it: the card is text, and nobody has called it sensitive yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockedOfOld {
    /// The card.
    pub card: String,
}

/// By hand, because the macro would link it into every process of the suite and nobody may declare a topic twice.
impl DomainEvent for BlockedOfOld {
    const TOPIC: &'static str = "test.blocked";
    const LOCAL: bool = true;
}

/// A card was blocked; its number is a number, so what is of old does not fit.
#[derive(Clone, Serialize, Deserialize)]
pub struct Blocked {
    /// The card.
    pub card: u64,
}

impl DomainEvent for Blocked {
    const TOPIC: &'static str = "test.blocked";
    const LOCAL: bool = true;
    const SENSITIVE: &'static [&'static str] = &["card"];
}

/// Hears of [`Blocked`].
#[after_commit(manual)]
pub async fn block(_event: Blocked) {}

/// [`block`] in the release of old; the target has the same name.
#[after_commit(manual, name = "block")]
pub async fn block_of_old(_event: BlockedOfOld) {}
