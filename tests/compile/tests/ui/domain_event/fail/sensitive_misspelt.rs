use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "card.charged")]
#[derive(Serialize, Deserialize)]
struct CardCharged {
    #[event(sensitve)]
    card: String,
}

#[domain_event(topic = "card.refunded")]
#[derive(Serialize, Deserialize)]
struct CardRefunded {
    #[event(hidden)]
    card: String,
}

fn main() {}
