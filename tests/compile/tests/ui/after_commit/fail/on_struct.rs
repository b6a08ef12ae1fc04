use events_core::after_commit;

#[after_commit]
pub struct TicketDesk;

fn main() {}
