use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "card.charged", key = format!("card-{}", self.card))]
#[derive(Serialize, Deserialize)]
struct CardCharged {
    #[event(sensitive)]
    card: String,
}

fn main() {}
