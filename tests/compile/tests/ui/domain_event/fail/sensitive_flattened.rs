use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Card {
    number: String,
}

#[domain_event(topic = "card.charged")]
#[derive(Serialize, Deserialize)]
struct CardCharged {
    #[event(sensitive)]
    #[serde(flatten)]
    card: Card,
}

fn main() {}
