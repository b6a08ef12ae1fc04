use events_sqlx::sqlite::UnitOfWork;

async fn pay() -> anyhow::Result<()> {
    let mut kept = None;
    UnitOfWork::run(async |uow| -> anyhow::Result<()> {
        kept = Some(uow);
        Ok(())
    })
    .await?;
    drop(kept);
    Ok(())
}

fn main() {}
