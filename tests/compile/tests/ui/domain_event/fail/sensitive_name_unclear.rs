use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "card.charged")]
#[derive(Serialize, Deserialize)]
struct CardCharged {
    #[event(sensitive)]
    #[cfg_attr(all(), serde(rename = "no"))]
    card: String,
}

#[domain_event(topic = "card.refunded")]
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
struct CardRefunded {
    #[event(sensitive)]
    card: String,
}

impl From<String> for CardRefunded {
    fn from(card: String) -> Self {
        Self { card }
    }
}

impl From<CardRefunded> for String {
    fn from(event: CardRefunded) -> Self {
        event.card
    }
}

fn main() {}
