use events_core::after_commit;

#[after_commit]
async fn issue_ticket(order_id: i64) {
    let _ = order_id;
}

fn main() {}
