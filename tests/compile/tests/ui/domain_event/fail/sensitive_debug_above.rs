use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[domain_event(topic = "card.charged")]
struct CardCharged {
    #[event(sensitive)]
    card: String,
}

fn main() {}
