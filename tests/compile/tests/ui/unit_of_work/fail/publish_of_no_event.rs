use events_sqlx::sqlite::UnitOfWork;

struct OrderPaid {
    order_id: i64,
}

async fn pay(order_id: i64) -> Result<events_core::EventId, events_core::Error> {
    UnitOfWork::run(async |uow| uow.publish(OrderPaid { order_id })).await
}

fn main() {}
