use events_core::after_commit;

#[after_commit]
async fn issue_ticket() {}

fn main() {}
