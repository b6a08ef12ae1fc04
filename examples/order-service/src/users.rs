//! Users of the shop: who registers gets a code by mail, and who gives three wrong passwords is locked out. Each command is one unit of work.

use crate::{
    clock,
    events::{UserLocked, UserRegistered},
    password,
};
use events_core::publish;
use events_sqlx::sqlite::UnitOfWork;
use sqlx::SqlitePool;

/// After so many wrong passwords in a row a user is locked out.
const TRIES: i64 = 3;

/// Why a command was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    #[error("the name `{0}` is taken")]
    Taken(String),
    #[error("there is no user `{0}`")]
    NotFound(String),
    #[error("{0}")]
    Invalid(&'static str),
    #[error("this is not the code that was sent")]
    WrongCode,
    #[error("user `{0}` is not activated yet; the code is in the mail")]
    NotActivated(String),
    #[error("the password is wrong; {left} tries are left")]
    WrongPassword { left: i64 },
    #[error("user `{0}` is locked out")]
    Locked(String),
    #[error("the password could not be checked: {0}")]
    Password(#[from] password::PasswordError),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Outbox(#[from] events_core::Error),
}

/// Registers a user, who is not active before they give the code that they are sent.
pub(crate) async fn register(name: &str, mail: &str, word: String) -> Result<(), UserError> {
    if !(1..=100).contains(&name.len()) || !mail.contains('@') || word.len() < 8 {
        return Err(UserError::Invalid("a name has 1 to 100 bytes, a mail address an `@`, and a password at least 8 bytes"));
    }
    // Slow on purpose, so it is done before the only writer of the database is taken.
    let hash = password::hash(word).await?;
    UnitOfWork::run(async |uow| -> Result<(), UserError> {
        let inserted =
            sqlx::query("INSERT INTO users (name, mail, password, code, registered_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(name)
                .bind(mail)
                .bind(&hash)
                .bind(format!("{:06}", rand::random_range(0..1_000_000)))
                .bind(clock::now())
                .execute(uow.conn())
                .await?;
        if inserted.rows_affected() == 0 {
            return Err(UserError::Taken(name.to_owned()));
        }
        // Without the code: events are kept, shown and logged, and the code is a secret.
        publish(UserRegistered { name: name.to_owned() })?;
        Ok(())
    })
    .await
}

/// Activates a user by the code that they were sent.
pub(crate) async fn activate(pool: &SqlitePool, name: &str, code: &str) -> Result<(), UserError> {
    let activated = sqlx::query("UPDATE users SET active = 1 WHERE name = ? AND code = ?").bind(name).bind(code).execute(pool).await?;
    if activated.rows_affected() > 0 { Ok(()) } else { Err(UserError::WrongCode) }
}

/// Lets a user in.
pub(crate) async fn log_in(pool: &SqlitePool, name: &str, word: String) -> Result<(), UserError> {
    let user: Option<(String, bool, bool)> =
        sqlx::query_as("SELECT password, active, locked FROM users WHERE name = ?").bind(name).fetch_optional(pool).await?;
    let Some((hash, active, locked)) = user else { return Err(UserError::NotFound(name.to_owned())) };
    if locked {
        return Err(UserError::Locked(name.to_owned()));
    }
    if !active {
        return Err(UserError::NotActivated(name.to_owned()));
    }
    if !password::is_right(word, hash).await? {
        return fail(name).await;
    }
    sqlx::query("UPDATE users SET failures = 0 WHERE name = ? AND locked = 0").bind(name).execute(pool).await?;
    Ok(())
}

/// Counts a wrong password. The answer is an error, and the unit of work commits all the same.
async fn fail(name: &str) -> Result<(), UserError> {
    let failed = UnitOfWork::run(async |uow| -> Result<Option<i64>, UserError> {
        let failures: Option<i64> = sqlx::query_scalar(
            "UPDATE users SET failures = failures + 1, locked = failures + 1 >= ? WHERE name = ? AND locked = 0 RETURNING failures",
        )
        .bind(TRIES)
        .bind(name)
        .fetch_optional(uow.conn())
        .await?;
        if failures == Some(TRIES) {
            publish(UserLocked { name: name.to_owned() })?;
        }
        Ok(failures)
    });
    match failed.await? {
        Some(failures) if failures < TRIES => Err(UserError::WrongPassword { left: TRIES - failures }),
        _ => Err(UserError::Locked(name.to_owned())),
    }
}
