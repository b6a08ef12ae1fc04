use events_sqlx::sqlite::UnitOfWork;

async fn pay() -> anyhow::Result<()> {
    UnitOfWork::run(async |uow| -> anyhow::Result<()> {
        tokio::spawn(async move {
            let _ = sqlx::query("UPDATE orders SET paid = 1").execute(uow.conn()).await;
        })
        .await?;
        Ok(())
    })
    .await
}

fn main() {}
