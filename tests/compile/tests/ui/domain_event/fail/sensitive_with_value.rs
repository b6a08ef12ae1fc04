use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "card.charged")]
#[derive(Debug, Serialize, Deserialize)]
struct CardCharged {
    #[event(sensitive = true)]
    card: String,
    #[event(sensitive, sensitive)]
    code: String,
}

fn main() {}
