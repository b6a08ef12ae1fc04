use events_sqlx::sqlite::UnitOfWork;

#[derive(Debug, thiserror::Error)]
enum PayError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

async fn pay() -> Result<(), PayError> {
    UnitOfWork::run(async |uow| {
        sqlx::query("UPDATE orders SET paid = 1").execute(uow.conn()).await?;
        Ok(())
    })
    .await
}

fn main() {}
