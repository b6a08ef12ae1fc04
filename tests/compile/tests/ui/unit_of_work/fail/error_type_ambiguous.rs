use events_sqlx::sqlite::UnitOfWork;

async fn pay() -> anyhow::Result<()> {
    UnitOfWork::run(async |uow| {
        sqlx::query("UPDATE orders SET paid = 1").execute(uow.conn()).await?;
        Ok(())
    })
    .await?;
    Ok(())
}

fn main() {}
