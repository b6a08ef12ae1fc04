use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "card.charged")]
#[event(sensitive)]
#[derive(Serialize, Deserialize)]
struct CardCharged {
    card: String,
}

fn main() {}
