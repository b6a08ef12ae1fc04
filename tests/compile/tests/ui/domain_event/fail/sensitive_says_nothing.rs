use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "card.charged")]
#[derive(Serialize, Deserialize)]
struct CardCharged {
    #[event]
    card: String,
    #[event("sensitive")]
    code: String,
}

fn main() {}
