use events_sqlx::sqlite::UnitOfWork;

async fn pay() -> anyhow::Result<()> {
    let uow = UnitOfWork::run(async |uow| -> anyhow::Result<&mut UnitOfWork> { Ok(uow) }).await?;
    sqlx::query("UPDATE orders SET paid = 1").execute(uow.conn()).await?;
    Ok(())
}

fn main() {}
