use events_core::{after_commit, before_commit, domain_event};
use events_sqlx::sqlite::UnitOfWork;
use serde::{Deserialize, Serialize};

#[domain_event(topic = "order.paid")]
#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: i64,
}

#[after_commit]
async fn book(event: OrderPaid, uow: &mut UnitOfWork) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO ledger VALUES (?)").bind(event.order_id).execute(uow.conn()).await?;
    Ok(())
}

#[before_commit]
async fn check(event: &OrderPaid, uow: &mut UnitOfWork) -> anyhow::Result<()> {
    let paid: bool = sqlx::query_scalar("SELECT paid FROM orders WHERE id = ?").bind(event.order_id).fetch_one(uow.conn()).await?;
    anyhow::ensure!(paid, "order {} is not paid", event.order_id);
    Ok(())
}

fn main() {}
