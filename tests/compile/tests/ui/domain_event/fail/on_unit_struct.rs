use events_core::domain_event;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "system.started")]
#[derive(Serialize, Deserialize)]
struct Started;

fn main() {}
